"""Where the MCP server's HTTP+SSE (2024-11-05) is. Who issues tokens for it and who serves it spell it alike."""

from urllib.parse import urlsplit


def sse_urls(mcp_url: str) -> tuple[str, str]:
    """Of the stream, which is what clients are told, and of the messages: both beside the MCP endpoint."""
    public = urlsplit(mcp_url)
    beside, _, _ = public.path.rstrip("/").rpartition("/")
    return f"{public.scheme}://{public.netloc}{beside}/sse", f"{public.scheme}://{public.netloc}{beside}/messages"
