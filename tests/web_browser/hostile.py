"""Texts that models, users and crashes can produce and that a page must show as text."""

MARK = "harmed"
"""Set on `window` by every text here that gets to run: a page on which it is defined has been entered."""

TEXTS = {
    "end of script": f"</script><script>window.{MARK}=1</script>",
    "end of style": f"</style><script>window.{MARK}=1</script>",
    "end of data": f'"}}]</script><img src=x onerror="window.{MARK}=1"><!--',
    "comment": "<!-- a comment that nobody closes <![CDATA[",
    "picture": f"<img src=https://example.invalid/x.png onerror=window.{MARK}=1>",
    "vector": f"<svg onload=window.{MARK}=1><title></title></svg>",
    "attribute": f"\"' onmouseover='window.{MARK}=1' x=\"",
    "link": f"[click](javascript:window.{MARK}=1) javascript:window.{MARK}=1",
    "entity": "&lt;b&gt; &amp;amp; &#x3c;i&#62; &nbsp &copy",
    "template": "${window.harmed=1} {{7*7}} <%= 1 %> `backticks` \\u003cb\\u003e",
    "control": "bell\x07 escape\x1b[31mred\x1b[0m null\x00 delete\x7f backspace\x08 form\x0c feed",
    "separators": "line\u2028paragraph\u2029next\x85carriage\r\nreturn",
    "right to left": "abc \u202eevil\u202c \u2066isolated\u2069 \u200fשלום עולם\u200e مرحبا",
    "invisible": "zero\u200bwidth\u200djoiner \ufeffmark \u00adsoft tag\U000e0041",
    "combining": "Z" + "\u0301\u0316\u0323" * 12 + " Zalgo",
    "wide": "漢字 かな 한국어 🧮👩‍👩‍👧‍👦 𝛴 ω",
    "surrogate": "lone \ud83d half \udc00 end",
    "replaced": "bad byte \ufffd\ufffd",
    "one long word": "9" * 400,
    "blank": "  \t  \n\n   ",
    "empty": "",
    "formula": '=HYPERLINK("https://example.invalid","x")',
    "proto": "__proto__ constructor toString hasOwnProperty",
}
"""By what is dangerous in them. `json.dumps` writes the lone surrogates as escapes, so files can hold them."""

LABEL = f'<img src=x onerror=window.{MARK}=1> & "quoted"'
"""Of an objective."""

MESSAGE = f"ValueError: </script><b onclick=window.{MARK}=1>nan</b> & \x1b[31mred\x1b[0m"
"""Of a crash."""
