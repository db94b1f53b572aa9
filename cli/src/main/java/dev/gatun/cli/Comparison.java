package dev.gatun.cli;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.knowm.xchart.CategoryChart;
import org.knowm.xchart.CategoryChartBuilder;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.internal.chartpart.Chart;

/**
 * Layers beside each other: a table of text and state, and a chart of recall, as text, CSV and one HTML page.
 *
 * @param entries the layers, in the order they were trained
 * @param deflate bits per byte of deflate on the same held-out text; NaN when no text was learned
 * @param pairs the numbers of pairs that recall was asked for
 * @param lengths the two lengths, in tokens, at which the state was weighed
 * @param conditions what was the same for all
 */
record Comparison(List<Entry> entries, double deflate, int[] pairs, int[] lengths, Map<String, String> conditions) {

    /**
     * What came of one layer; NaN where a task was not given or failed.
     *
     * @param layer its name
     * @param parameters of the model that learned text
     * @param heldOut bits per byte of held-out text
     * @param speed bytes a second, over the whole training
     * @param state bytes of state of one sequence at each length
     * @param recall share of values recalled, by number of pairs
     * @param failure what went wrong, or the empty string
     */
    record Entry(String layer, long parameters, double heldOut, double speed, long[] state, double[] recall, String failure) {}

    /** The table as text. */
    String text() {
        StringBuilder text = new StringBuilder();
        for (String[] row : rows()) {
            text.append(String.format(Locale.ROOT, "%-24s", row[0]));
            for (int i = 1; i < row.length; i++) {
                text.append(String.format(Locale.ROOT, "%14s", row[i]));
            }
            text.append('\n');
        }
        failures().forEach(entry -> text.append(entry.layer).append(": ").append(entry.failure).append('\n'));
        return text.toString();
    }

    /** The table as CSV. */
    String csv() {
        return rows().stream()
                .map(row -> Arrays.stream(row).map(cell -> '"' + cell.replace("\"", "\"\"") + '"').collect(Collectors.joining(",")))
                .collect(Collectors.joining("\n", "", "\n"));
    }

    /** The page. */
    String html() {
        StringBuilder table = new StringBuilder("<table class=\"wide\">\n");
        List<String[]> rows = rows();
        for (int i = 0; i < rows.size(); i++) {
            String cell = i == 0 ? "th" : "td";
            table.append("<tr>");
            for (String value : rows.get(i)) {
                table.append('<').append(cell).append('>').append(HtmlReport.escape(value)).append("</").append(cell).append('>');
            }
            table.append("</tr>\n");
        }
        table.append("</table>");
        StringBuilder body = new StringBuilder("<p>The same text, width, depth, batch and time for every layer. "
                + "State is what one sequence carries from token to token.</p>\n");
        if (entries.stream().anyMatch(entry -> !Double.isNaN(entry.heldOut))) {
            body.append("<h2>Held-out text</h2>\n<div class=\"card\">").append(chart(this::textChart)).append("</div>\n");
        }
        body.append("<h2>All numbers</h2>\n<div class=\"card\">").append(table).append("</div>\n");
        if (entries.stream().anyMatch(entry -> entry.recall.length > 0)) {
            body.append("<h2>Associative recall</h2>\n<p>Keys and their values, then every key again: how many values come back. "
                            + "Guessing gets 3 %.</p>\n<div class=\"card\">")
                    .append(chart(this::recallChart)).append("</div>\n");
        }
        failures().forEach(entry -> body.append("<p>").append(HtmlReport.escape(entry.layer + ": " + entry.failure)).append("</p>\n"));
        body.append("<h2>Conditions</h2>\n<div class=\"card\">").append(HtmlReport.table(conditions)).append("</div>\n");
        return HtmlReport.page("Layers compared", body.toString());
    }

    private List<Entry> failures() {
        return entries.stream().filter(entry -> !entry.failure.isEmpty()).toList();
    }

    private List<String[]> rows() {
        String[] head = concat(
                new String[] {"layer", "parameters", "bits/byte", "bytes/s", "state@" + lengths[0], "state@" + lengths[1]},
                Arrays.stream(pairs).mapToObj(n -> "recall " + n).toArray(String[]::new));
        List<String[]> rows = entries.stream().map(entry -> concat(
                        new String[] {
                            entry.layer,
                            entry.parameters == 0 ? "" : String.format(Locale.ROOT, "%,d", entry.parameters),
                            number("%.3f", entry.heldOut),
                            number("%,.0f", entry.speed),
                            entry.state.length == 0 ? "" : String.format(Locale.ROOT, "%,d", entry.state[0]),
                            entry.state.length == 0 ? "" : String.format(Locale.ROOT, "%,d", entry.state[1])
                        },
                        IntStream.range(0, pairs.length)
                                .mapToObj(i -> i < entry.recall.length ? number("%.0f %%", 100 * entry.recall[i]) : "")
                                .toArray(String[]::new)))
                .collect(Collectors.toCollection(ArrayList::new));
        rows.addFirst(head);
        if (!Double.isNaN(deflate)) {
            String[] row = new String[head.length];
            Arrays.fill(row, "");
            row[0] = "(deflate)";
            row[2] = number("%.3f", deflate);
            rows.add(row);
        }
        return rows;
    }

    private static String[] concat(String[] a, String[] b) {
        String[] both = Arrays.copyOf(a, a.length + b.length);
        System.arraycopy(b, 0, both, a.length, b.length);
        return both;
    }

    private static String number(String format, double value) {
        return Double.isNaN(value) ? "" : String.format(Locale.ROOT, format, value);
    }

    private Chart<?, ?> textChart() {
        List<Entry> judged = entries.stream().filter(entry -> !Double.isNaN(entry.heldOut)).toList();
        CategoryChart chart = new CategoryChartBuilder()
                .width(Charts.WIDTH).height(Charts.HEIGHT).yAxisTitle("bits per byte, less is better").build();
        Charts.style(chart.getStyler());
        chart.getStyler().setLegendVisible(false);
        chart.getStyler().setXAxisLabelRotation(judged.size() > 6 ? 35 : 0);
        chart.getStyler().setAvailableSpaceFill(0.6);
        chart.addSeries("layers", judged.stream().map(Entry::layer).toList(), judged.stream().map(Entry::heldOut).toList())
                .setFillColor(Charts.Ink.SMOOTH.color());
        return chart;
    }

    private Chart<?, ?> recallChart() {
        XYChart chart = new XYChartBuilder()
                .width(Charts.WIDTH).height(Charts.HEIGHT + 60).xAxisTitle("pairs").yAxisTitle("recalled, %").build();
        Charts.style(chart.getStyler());
        chart.getStyler().setYAxisMin(0.0).setYAxisMax(100.0);
        chart.getStyler().setXAxisMin(0.0);
        double[] x = Arrays.stream(pairs).asDoubleStream().toArray();
        int drawn = 0;
        for (Entry entry : entries) {
            if (entry.recall.length == 0) {
                continue;
            }
            Charts.line(chart, entry.layer, drawn, x, Arrays.stream(entry.recall).map(share -> 100 * share).toArray());
            drawn++;
        }
        return chart;
    }

    private static String chart(Supplier<Chart<?, ?>> chart) {
        return Charts.drawn("chart", "compare.csv", () -> Charts.svg(chart.get()));
    }
}
