"""The style of the page: the reader's own font, light or dark as the system is, printable."""

CSS = """
:root{color-scheme:light dark;--ink:#1f2328;--soft:#59636e;--line:#d9dee3;--back:#fff;--card:#f6f8fa;--mark:#fff3c4;
--markink:#5c4300;--accent:#0a66c2;--bad:#b42318;--badback:#fef1f0}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ed;--soft:#9aa4ae;--line:#343b43;--back:#14181d;--card:#1c2229;
--mark:#4a3b0a;--markink:#ffe08a;--accent:#6cb0ff;--bad:#ff9c92;--badback:#361715}}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:1080px;margin:0 auto;padding:32px 20px 64px}
h1{font-size:26px;line-height:1.25;margin:0 0 4px;overflow-wrap:anywhere}
h2{font-size:18px;margin:40px 0 10px;padding-bottom:6px;border-bottom:1px solid var(--line)}
.sub,figcaption,footer{color:var(--soft)}
.sub{margin:0;overflow-wrap:anywhere}
.badge{display:inline-block;border:1px solid var(--line);border-radius:99px;padding:0 10px;font-size:13px;
vertical-align:4px;font-weight:500}
.cards{display:flex;flex-wrap:wrap;gap:12px;margin:20px 0 0;padding:0;list-style:none}
.cards li{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:10px 16px;min-width:130px}
.cards b{display:block;font-size:22px;line-height:1.3;font-variant-numeric:tabular-nums}
.cards span{color:var(--soft);font-size:13px}
.error{background:var(--badback);color:var(--bad);border-radius:8px;padding:12px 16px;margin:20px 0 0}
pre,code,mark{font-family:ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:13px}
pre{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:12px 14px;margin:10px 0;
white-space:pre-wrap;overflow-wrap:anywhere}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:5px 22px 5px 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--line);font-weight:400}
thead th{color:var(--soft);font-size:13px}
.scores td,.scores thead th+th{text-align:right}
.scores tr.monitored th,.scores tr.monitored td{font-weight:600}
.config th{font:13px/1.5 ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace;white-space:nowrap}
.config td{overflow-wrap:anywhere;min-width:160px}
mark{background:var(--mark);color:var(--markink);border-radius:4px;padding:1px 5px}
figure{margin:14px 0 0}
img{max-width:100%;height:auto}
.gallery{display:flex;flex-wrap:wrap;gap:18px}
.gallery figure{max-width:500px}
.gallery img{background:#fff;border-radius:6px}
details{margin:8px 0}
summary{cursor:pointer;color:var(--accent)}
footer{margin-top:48px;font-size:13px}
@media print{details>*{display:block}main{max-width:none;padding:0}}
"""
