"""Published weights of other libraries: from the cache or a download; where there is no connection, one line at once.

The client of the Hugging Face hub asks again for about a minute where there is no connection. Here it is first seen
whether the hub answers; if not, the client looks into its cache alone, for this once. Who is online pays one request.
"""

from __future__ import annotations

import contextlib
import logging
import textwrap
import time

from ..errors import InputError, MissingData

TIMEOUT = 10.0  # seconds, for addresses outside the hub; the hub's own comes from HF_HUB_ETAG_TIMEOUT
CHATTER = ("huggingface_hub", "timm", "root")
REMEDY = (
    "fetch them once where there is a network (the cache folder, see HF_HOME, can be copied), or use --checkpoint FILE "
    "or random weights (--untrained; of a student --scratch)"
)


def short(error: Exception, width: int = 160) -> str:
    """The first line of what an error says, cut between words."""
    text = str(getattr(error, "reason", "") or error).strip() or type(error).__name__
    return textwrap.shorten(text.splitlines()[0], width, placeholder=" ...")


def answers(url: str, timeout: float = TIMEOUT) -> bool:
    """Whether the server of an address says anything at all; asked as torch.hub does, with urllib."""
    from http.client import HTTPException
    from urllib import request
    from urllib.error import HTTPError

    try:
        request.urlopen(request.Request(url, method="HEAD"), timeout=timeout).close()
    except HTTPError:
        return True  # "not found" and "not allowed" are answers
    except (OSError, HTTPException):  # nobody there, or something that does not speak HTTP
        return False
    return True


def hub_answers() -> bool:
    """Whether the Hugging Face hub (or the mirror of HF_ENDPOINT) says anything at all; False in its offline mode.

    Asked with the hub's own client, so that its proxy and certificates count; an answer may take HF_HUB_ETAG_TIMEOUT
    seconds (the hub's default: 10). A refusal that came at once is not believed before the second one.
    """
    from huggingface_hub import constants
    from huggingface_hub.utils import get_session

    if constants.HF_HUB_OFFLINE:
        return False
    limit, start = constants.HF_HUB_ETAG_TIMEOUT, time.monotonic()
    for _ in range(2):
        try:
            get_session().head(constants.ENDPOINT, timeout=limit)
            return True
        except Exception:  # the kinds differ between versions of the client
            if time.monotonic() - start > limit / 4:
                break
            time.sleep(0.5)
    return False


@contextlib.contextmanager
def quiet():
    """No chatter of weights libraries in the block: what goes wrong is raised."""
    before = [logging.getLogger(n).level for n in CHATTER]
    for n in CHATTER:
        logging.getLogger(n).setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for n, level in zip(CHATTER, before):
            logging.getLogger(n).setLevel(level)


def _about_weights(error: Exception) -> bool:
    """Whether an error is of the connection or the hub, not of a name or an option."""
    kinds = {kind.__module__.partition(".")[0] for kind in type(error).__mro__}
    return (
        isinstance(error, (OSError, EOFError))
        or bool(kinds & {"huggingface_hub", "httpx", "httpx2", "httpcore", "requests", "urllib3"})
        or (isinstance(error, RuntimeError) and "download" in str(error).lower())
    )


@contextlib.contextmanager
def weights(name: str, wanted: bool = True, remedy: str = REMEDY):
    """A block in which timm or open_clip may fetch published weights.

    Parameters
    ----------
    name : str
        What is loaded, for the message.
    wanted : bool
        False when no weights are asked for: nothing is looked up.
    remedy : str

    Raises
    ------
    MissingData
        When the weights are not on this machine and cannot be fetched. Other errors pass.
    """
    if not wanted:
        with quiet():
            yield
        return
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    online = hub_answers()
    constants.HF_HUB_OFFLINE = not online
    try:
        with quiet():
            yield
    except InputError:
        raise
    except Exception as error:
        if not _about_weights(error):
            raise
        why = f"could not be downloaded ({short(error)})"
        if not online:
            why = "HF_HUB_OFFLINE forbids downloads" if before else f"{constants.ENDPOINT} cannot be reached"
        raise MissingData(f"its weights are not on this machine and {why}", name, remedy) from None
    finally:
        constants.HF_HUB_OFFLINE = before
