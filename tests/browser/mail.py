"""What the exchange of these tests has written to somebody, newest last."""

from email import message_from_bytes
from email.policy import default
from pathlib import Path

from demo.services import Exchange


def mail_to(exchange: Exchange, address: str) -> list[str]:
    """The texts."""
    files = sorted((exchange.data_dir / "mail").glob("*.log"), key=lambda file: file.stat().st_mtime_ns)
    return [text for file in files for to, text in _read(file) if to == address]


def _read(file: Path) -> list[tuple[str, str]]:
    messages = [message_from_bytes(part.strip(), policy=default) for part in file.read_bytes().split(b"-" * 79)]
    return [(str(message["To"]), message.get_content()) for message in messages if message["To"]]
