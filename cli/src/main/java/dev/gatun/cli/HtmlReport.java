package dev.gatun.cli;

import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * What came of a run, as one HTML page that needs nothing else: the curve, the judgement beside deflate's, a sample, the
 * configuration and the machine.
 *
 * @param title the name of the run
 * @param heldOut bits per byte on held-out text
 * @param deflate what deflate needs for the same bytes
 * @param judged how many bytes those are
 * @param rows the steps
 * @param prompt what the sample began with
 * @param sample what the model wrote after it
 * @param configuration everything that was chosen
 * @param machine where it ran
 */
record HtmlReport(
        String title,
        double heldOut,
        double deflate,
        long judged,
        List<Metrics.Row> rows,
        String prompt,
        String sample,
        Map<String, String> configuration,
        Map<String, String> machine) {

    private static final String STYLE =
            """
            :root { color-scheme: light dark;
              --page: #fbfbfa; --card: #ffffff; --ink: #1d2126; --soft: #5d6670; --line: #e2e4e7; --faint: #a9bbd8;
              --accent: #2463c4; --good: #1a8454; --warn: #b4690e; }
            @media (prefers-color-scheme: dark) { :root {
              --page: #14171a; --card: #1c2024; --ink: #e6e9ec; --soft: #9aa4ae; --line: #30363c; --faint: #4d6488;
              --accent: #7aaef5; --good: #5cc795; --warn: #e3a548; } }
            * { box-sizing: border-box; }
            body { margin: 0; background: var(--page); color: var(--ink);
              font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
            main { max-width: 62rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
            h1 { font-size: 1.6rem; margin: 0; letter-spacing: -.01em; overflow-wrap: anywhere; }
            h2 { font-size: 1.05rem; margin: 2.2rem 0 .7rem; }
            p { margin: .35rem 0; color: var(--soft); max-width: 46rem; }
            .tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .8rem;
              margin: 1.5rem 0; }
            .tile, .card { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; }
            .tile { padding: .8rem 1rem; }
            .tile b { display: block; font-size: 1.6rem; font-weight: 600; line-height: 1.25;
              font-variant-numeric: tabular-nums; }
            .tile span { color: var(--soft); font-size: .88rem; }
            .good b { color: var(--good); }
            .warn b { color: var(--warn); }
            .card { padding: 1rem; overflow-x: auto; }
            .card svg { display: block; width: 100%; height: auto; min-width: 34rem; }
            pre { margin: 0; font: 13.5px/1.45 ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
              white-space: pre-wrap; overflow-wrap: anywhere; tab-size: 4; }
            pre b { color: var(--accent); font-weight: 600; }
            .pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); gap: 0 1.5rem; }
            table { width: 100%; border-collapse: collapse; font-size: .92rem; }
            td { padding: .34rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
            tr:last-child td { border-bottom: 0; }
            td:first-child { color: var(--soft); padding-right: 1rem; white-space: nowrap; }
            th { font-weight: 500; color: var(--soft); text-align: right; padding: .34rem 0 .34rem .8rem; vertical-align: bottom; }
            th:first-child { text-align: left; padding-left: 0; }
            .wide td:not(:first-child) { text-align: right; padding-left: .8rem; font-variant-numeric: tabular-nums; white-space: nowrap; }
            td:last-child { text-align: right; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
            """;

    /** The page. */
    String html() {
        Metrics.Row last = rows.getLast();
        return page(title, format("""
                <p>%s</p>
                <div class="tiles">
                %s</div>
                <h2>Loss</h2>
                <div class="card">%s</div>
                <h2>What it writes</h2>
                <div class="card"><pre><b>%s</b>%s</pre></div>
                <div class="pair">
                <section><h2>Configuration</h2><div class="card">%s</div></section>
                <section><h2>Machine</h2><div class="card">%s</div></section>
                </div>
                """,
                        verdict(),
                        tile("good", format("%.3f", heldOut), "bits per byte on held-out text")
                                + tile("warn", format("%.3f", deflate), "bits per byte with deflate")
                                + tile("", format("%,d", last.step()), "steps")
                                + tile("", compact(last.tokens()), "bytes learned from")
                                + tile("", duration(last.seconds()), "of training")
                                + tile("", compact(Math.round(last.tokens() / last.seconds())), "bytes a second"),
                        Charts.drawn("curve", "metrics.csv", () -> LossChart.svg(rows, deflate)),
                        escape(prompt),
                        escape(sample),
                        table(configuration),
                        table(machine)));
    }

    /** A page that needs nothing else, around what it has to say. */
    static String page(String title, String body) {
        return """
                <!doctype html>
                <html lang="en">
                <head>
                <meta charset="utf-8">
                <meta name="viewport" content="width=device-width, initial-scale=1">
                <title>%s</title>
                <style>
                %s</style>
                </head>
                <body>
                <main>
                <h1>%s</h1>
                %s</main>
                </body>
                </html>
                """.formatted(escape(title), STYLE, escape(title), body);
    }

    private String verdict() {
        String comparison = heldOut < deflate
                ? format("%.0f %% smaller than deflate makes them", 100 * (1 - heldOut / deflate))
                : format("%.0f %% larger than deflate makes them", 100 * (heldOut / deflate - 1));
        return format(
                "On %,d bytes of files it never saw, the model needs %.3f bits per byte: %s (level 9, the same bytes).",
                judged,
                heldOut,
                comparison);
    }

    // Numbers look the same wherever the page was made.
    private static String format(String format, Object... values) {
        return String.format(Locale.ROOT, format, values);
    }

    private static String tile(String kind, String number, String words) {
        return "<div class=\"tile %s\"><b>%s</b><span>%s</span></div>\n".formatted(kind, number, words);
    }

    /** Facts by their names. */
    static String table(Map<String, String> facts) {
        StringBuilder table = new StringBuilder("<table>\n");
        facts.forEach((name, value) -> table.append("<tr><td>")
                .append(escape(name))
                .append("</td><td>")
                .append(escape(value))
                .append("</td></tr>\n"));
        return table.append("</table>").toString();
    }

    /** 1234567 as 1.2 M. */
    static String compact(long n) {
        if (n < 10_000) {
            return format("%,d", n);
        }
        return n < 1_000_000
                ? format("%.0f k", n / 1e3)
                : format("%.1f M", n / 1e6);
    }

    /** 132.4 seconds as 2:12. */
    static String duration(double seconds) {
        long s = Math.round(seconds);
        return s < 3600 ? "%d:%02d".formatted(s / 60, s % 60) : "%d:%02d:%02d".formatted(s / 3600, s / 60 % 60, s % 60);
    }

    /** Text as HTML; what a model writes may hold anything, and control characters are shown as their pictures. */
    static String escape(String text) {
        StringBuilder html = new StringBuilder(text.length() + 16);
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            switch (c) {
                case '&' -> html.append("&amp;");
                case '<' -> html.append("&lt;");
                case '>' -> html.append("&gt;");
                case '"' -> html.append("&quot;");
                case '\n', '\t' -> html.append(c);
                default -> html.append(c < ' ' ? (char) ('\u2400' + c) : c);
            }
        }
        return html.toString();
    }
}
