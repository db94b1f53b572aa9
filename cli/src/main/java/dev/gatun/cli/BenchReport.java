package dev.gatun.cli;

import dev.gatun.bench.suite.Peer;
import dev.gatun.bench.suite.Report;
import dev.gatun.bench.suite.Row;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.stream.Collectors;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.XYSeries.XYSeriesRenderStyle;
import org.knowm.xchart.style.Styler.LegendPosition;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** The suite's table as a page: every row beside its peers, a bar for each ratio, all rows below the machine's roof, and every fork. */
record BenchReport(Report report, Map<String, String> machine) {

    /** Bars end at this ratio, and at one over it. */
    private static final double REACH = 8;

    private static final String STYLE = """
            <style>
            main { max-width: 78rem; }
            .card { margin-bottom: 1rem; }
            .bench td { white-space: nowrap; padding-left: .8rem; text-align: right; font-variant-numeric: tabular-nums; }
            .bench td:first-child { padding-left: 0; text-align: left; color: var(--ink); }
            .bench th { white-space: nowrap; }
            .bench .none { color: var(--soft); font-size: .85em; }
            .bench .better { color: var(--good); }
            .bench .worse, .bench .flag { color: var(--warn); }
            .bench svg { display: inline-block; width: 8rem; min-width: 8rem; height: 1rem; vertical-align: middle; }
            .bench td.left { text-align: left; white-space: normal; }
            .bench .group th { padding-top: 1.6rem; }
            .bench .group th:first-child { font-weight: 600; color: var(--ink); }
            </style>
            """;

    /** The page. */
    String html() {
        StringBuilder body = new StringBuilder(STYLE).append(format(
                "<p>float32, %d threads for every peer, %d fresh processes. A ratio is how many times as long as Gatun the peer takes: above 1, "
                        + "Gatun is faster. The roof is %.0f GFLOP/s of multiply-adds and %.1f GB/s of copying, measured in the same run; "
                        + "rows whose numbers stay in the cache can be above it.</p>\n",
                report.threads(), report.pace().forks(), report.roof().flops() * 1e-9, report.roof().bytes() * 1e-9));
        report.absent().forEach((peer, reason) -> body.append("<p>No ").append(peer).append(": ").append(HtmlReport.escape(reason)).append(".</p>\n"));
        List<Peer> peers = report.peers().stream().filter(peer -> peer != Peer.GATUN).toList();
        List<String> groups = report.rows().stream().map(Row::group).distinct().toList();
        if (!peers.isEmpty()) {
            body.append("<h2>Geometric means of the ratios</h2>\n").append(card(means(peers, groups)));
        }
        body.append("<h2>All rows below the roof</h2>\n").append(card(Charts.drawn("chart", "the tables below", this::roof)));
        body.append("<h2>Every row beside its peers</h2>\n").append(card(table(groups, peers)));
        body.append("<h2>The mean of every fork</h2>\n").append(card(forks()));
        body.append("<h2>Machine</h2>\n").append(card(HtmlReport.table(machine)));
        return HtmlReport.page("Benchmarks", body.toString());
    }

    private static String card(String content) {
        return "<div class=\"card\">" + content + "</div>\n";
    }

    private String means(List<Peer> peers, List<String> groups) {
        StringBuilder table = new StringBuilder("<table class=\"bench\">\n<tr><th></th>");
        groups.forEach(group -> table.append("<th>").append(HtmlReport.escape(group)).append("</th>"));
        table.append("<th>all</th></tr>\n");
        for (Peer peer : peers) {
            table.append("<tr><td>").append(peer).append("</td>");
            groups.forEach(group -> table.append(ratio(report.mean(peer, group))));
            table.append(ratio(report.mean(peer, null))).append("</tr>\n");
        }
        return table.append("</table>").toString();
    }

    private static String ratio(OptionalDouble mean) {
        return mean.isEmpty() ? "<td class=\"none\">–</td>" : format("<td class=\"%s\">%.2f</td>", verdict(mean.getAsDouble()), mean.getAsDouble());
    }

    private static String verdict(double ratio) {
        return ratio >= 1 ? "better" : "worse";
    }

    private String table(List<String> groups, List<Peer> peers) {
        StringBuilder table = new StringBuilder("<table class=\"bench\">\n");
        groups.forEach(group -> table(table, group, peers));
        return table.append("</table>").toString();
    }

    /** The rows of one group, below a line with the names of the columns. */
    private void table(StringBuilder table, String group, List<Peer> peers) {
        table.append("<tr class=\"group\"><th>").append(HtmlReport.escape(group)).append("</th><th>gatun</th>");
        peers.forEach(peer -> table.append("<th>").append(peer).append("</th><th>ratio</th><th></th>"));
        table.append("<th>GFLOP/s</th><th>GB/s</th><th>of the roof</th></tr>\n");
        for (Row row : report.rows()) {
            if (!row.group().equals(group)) {
                continue;
            }
            table.append("<tr><td>").append(HtmlReport.escape(row.name())).append("</td>");
            if (!row.has(Peer.GATUN)) {
                table.append("<td class=\"flag left\" colspan=\"").append(4 + 3 * peers.size()).append("\">")
                        .append(HtmlReport.escape(row.why())).append("</td></tr>\n");
                continue;
            }
            table.append("<td>").append(Report.time(row.nanos(Peer.GATUN))).append("</td>");
            for (Peer peer : peers) {
                if (row.has(peer)) {
                    double ratio = row.ratio(peer);
                    table.append(format("<td>%s</td><td class=\"%s\">%.2f</td><td>%s</td>", Report.time(row.nanos(peer)), verdict(ratio), ratio, bar(ratio)));
                } else {
                    table.append("<td class=\"none\" colspan=\"3\">").append(peer.none()).append("</td>");
                }
            }
            table.append(row.flops() == 0 ? "<td class=\"none\">–</td>" : format("<td>%.1f</td>", row.flops() / row.nanos(Peer.GATUN)));
            table.append(format("<td>%.1f</td><td>%.0f %%</td></tr>\n", row.bytes() / row.nanos(Peer.GATUN), 100 * row.share(report.roof())));
        }
    }

    /** From the middle, which is 1, to the right where we are faster, and to the left where the peer is, on a logarithmic scale. */
    private static String bar(double ratio) {
        double length = Math.clamp(Math.log(ratio) / Math.log(REACH), -1, 1) * 60;
        return format("<svg viewBox=\"0 0 124 16\" role=\"img\" aria-label=\"%.2f\"><rect x=\"%.1f\" y=\"3\" width=\"%.1f\" height=\"10\" rx=\"1.5\" "
                        + "fill=\"var(%s)\"/><line x1=\"62\" y1=\"0\" x2=\"62\" y2=\"16\" stroke=\"var(--soft)\"/></svg>",
                ratio, length < 0 ? 62 + length : 62, Math.abs(length), length < 0 ? "--warn" : "--good");
    }

    private String forks() {
        StringBuilder table = new StringBuilder("<table class=\"bench\">\n<tr><th></th>");
        List<Peer> peers = report.peers();
        peers.forEach(peer -> table.append("<th>").append(peer).append("</th>"));
        table.append("<th></th></tr>\n");
        for (Row row : report.rows()) {
            table.append("<tr><td>").append(HtmlReport.escape(row.group() + "/" + row.name())).append("</td>");
            for (Peer peer : peers) {
                table.append("<td>").append(!row.has(peer) ? "<span class=\"none\">" + peer.none() + "</span>"
                        : Arrays.stream(row.forks().get(peer)).mapToObj(Report::time).collect(Collectors.joining(", "))).append("</td>");
            }
            table.append("<td class=\"flag\">").append(row.unsteady() ? format("differ by %.0f %%", 100 * (row.spread() - 1)) : "")
                    .append(HtmlReport.escape(row.failure())).append("</td></tr>\n");
        }
        return table.append("</table>").toString();
    }

    /** Arithmetic a second over arithmetic a byte, and what the machine allows there. */
    private String roof() throws IOException {
        XYChart chart = new XYChartBuilder().width(Charts.WIDTH).height(Charts.HEIGHT + 60)
                .xAxisTitle("operations for each byte that has to be moved").yAxisTitle("GFLOP/s").build();
        Charts.style(chart.getStyler());
        chart.getStyler().setXAxisLogarithmic(true).setYAxisLogarithmic(true);
        List<Row> rows = report.rows().stream().filter(row -> row.has(Peer.GATUN) && row.flops() > 0).toList();
        List<String> groups = rows.stream().map(Row::group).distinct().toList();
        for (int i = 0; i < groups.size(); i++) {
            String group = groups.get(i);
            List<Row> own = rows.stream().filter(row -> row.group().equals(group)).toList();
            Charts.line(chart, group, i, own.stream().mapToDouble(row -> row.flops() / row.bytes()).toArray(),
                    own.stream().mapToDouble(row -> row.flops() / row.nanos(Peer.GATUN)).toArray())
                    .setXYSeriesRenderStyle(XYSeriesRenderStyle.Scatter);
        }
        double least = rows.stream().mapToDouble(row -> row.flops() / row.bytes()).min().orElse(0.1);
        double most = rows.stream().mapToDouble(row -> row.flops() / row.bytes()).max().orElse(100);
        double ridge = report.roof().flops() / report.roof().bytes();
        double[] x = {Math.min(least, ridge), ridge, Math.max(most, ridge)};
        XYSeries roof = chart.addSeries("the roof", x, Arrays.stream(x).map(i -> 1e-9 * Math.min(report.roof().flops(), i * report.roof().bytes())).toArray());
        roof.setMarker(SeriesMarkers.NONE).setLineColor(Charts.Ink.TEXT.color());
        chart.getStyler().setLegendPosition(LegendPosition.OutsideE);
        return Charts.svg(chart);
    }

    // Numbers look the same wherever the page was made.
    private static String format(String format, Object... values) {
        return String.format(Locale.ROOT, format, values);
    }
}
