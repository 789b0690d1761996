"""Pages in a browser with the network cut."""


def opened(browser, path, query="", **more):
    """The page with the network cut; what it complains about and what it asks for."""
    context = browser.new_context(offline=True, accept_downloads=True, **more)
    page, trouble = context.new_page(), []
    page.on("console", lambda message: trouble.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on(
        "request",
        lambda asked: None if asked.url.startswith(("file:", "data:", "blob:")) else trouble.append(asked.url),
    )
    page.goto(path.resolve().as_uri() + query)
    return page, trouble
