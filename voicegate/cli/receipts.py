"""`voicegate audit verify`, `export` and `keys`: receipts proven, written out, and proven by others."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import rich_click as click
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from voicegate.adapters.keyfile.receipt_keys import proves_by
from voicegate.bootstrap.receipts import find_receipt_keys, stored_chain
from voicegate.cli.exits import Exit, Failure
from voicegate.cli.options import Options
from voicegate.cli.place import read_settings
from voicegate.cli.printing import json_option, print_json, print_json_line
from voicegate.domain.receipt import ChainResult, Sealed, verify_chain


@click.command()
@click.option(
    "--holds", metavar="SEQ:DIGEST", help="Fail unless the chain still has this receipt, noted before."
)
@json_option
@click.pass_obj
@click.pass_context
def verify(ctx: click.Context, options: Options, *, holds: str | None, as_json: bool) -> None:
    """Prove all receipts of this controller, by the database and the keys beside the key file.

    Says the newest one's number and digest: note them elsewhere, and --holds proves later that nothing was
    taken off the end. Exits with 1 if something is wrong.
    """
    settings = read_settings(options)
    keys = find_receipt_keys(settings)
    noted = _Noted(holds)
    with stored_chain(settings, keys.chain) as chain:
        followed = noted.follow(chain.receipts)
        result = verify_chain(chain.checkpoint, followed, chain=keys.chain, proves=keys.proves)
    _tell(ctx, result, missing=noted.missing, as_json=as_json)


@click.command("verify-file")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--keys",
    "key_file",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What `voicegate audit keys` printed, got from the controller's admin.",
)
@json_option
@click.pass_context
def verify_file(ctx: click.Context, file: Path, *, key_file: Path, as_json: bool) -> None:
    """Prove the receipts in FILE, which `voicegate audit export` wrote, without database and secret keys."""
    try:
        known = json.loads(key_file.read_text("utf-8"))
        publics = {
            name: Ed25519PublicKey.from_public_bytes(bytes.fromhex(key))
            for name, key in known["public"].items()
        }
        sealed = [_read(json.loads(line)) for line in file.read_text("utf-8").splitlines()]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Failure(Exit.NO, f"no receipts, or no keys: {error}") from error
    is_cut = bool(sealed) and b'"kind":"checkpoint"' in sealed[0].body
    result = verify_chain(
        sealed[0] if is_cut else None,
        sealed[1:] if is_cut else sealed,
        chain=str(known["chain"]),
        proves=lambda key_id, one: proves_by(publics.get(key_id), one),
    )
    _tell(ctx, result, missing=None, as_json=as_json)


@click.command()
@click.pass_obj
def export(options: Options) -> None:
    """Print all receipts of this controller as JSON lines, the oldest first; a checkpoint before them."""
    settings = read_settings(options)
    keys = find_receipt_keys(settings)
    with stored_chain(settings, keys.chain) as chain:
        if chain.checkpoint is not None:
            print_json_line(_written(chain.checkpoint))
        for receipt in chain.receipts:
            print_json_line(_written(receipt))


@click.command("keys")
@click.pass_obj
def public_keys(options: Options) -> None:
    """Print the chain's id and its public keys, by which others prove its receipts."""
    keys = find_receipt_keys(read_settings(options))
    print_json_line({"chain": keys.chain, "public": keys.publics})


class _Noted:
    """A receipt that was noted before, looked for as the chain goes by."""

    def __init__(self, holds: str | None) -> None:
        seq, _, self._digest = (holds or "").partition(":")
        if holds and not seq.isdecimal():
            raise click.BadParameter("must be SEQ:DIGEST, as `voicegate audit verify` said")
        self._seq = int(seq) if seq else None
        self.missing = holds

    def follow(self, receipts: Iterator[Sealed]) -> Iterator[Sealed]:
        """Yield the receipts, and note whether that one was among them."""
        for receipt in receipts:
            if json.loads(receipt.body).get("seq") == self._seq and receipt.digest == self._digest:
                self.missing = None
            yield receipt


def _tell(ctx: click.Context, result: ChainResult, *, missing: str | None, as_json: bool) -> None:
    fault = result.fault or (f"the chain has no receipt {missing}" if missing else None)
    head = f"{result.head.seq}:{result.head.digest}"
    if as_json:
        print_json({"receipts": result.receipts, "head": head, "fault": fault})
    else:
        click.echo(f"{result.receipts} receipts proven, the newest is {head}")
        if fault:
            click.echo(f"broken: {fault}", err=True)
    if fault:
        ctx.exit(Exit.NO)


def _written(sealed: Sealed) -> Mapping[str, str]:
    # As text, not as an object: the signature is over these very bytes.
    return {"body": sealed.body.decode(), "signature": sealed.signature.hex()}


def _read(line: Mapping[str, str]) -> Sealed:
    return Sealed(line["body"].encode(), bytes.fromhex(line["signature"]))
