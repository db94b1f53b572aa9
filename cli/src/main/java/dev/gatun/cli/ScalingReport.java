package dev.gatun.cli;

import dev.gatun.bench.layers.Scaling.Point;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.ToDoubleFunction;
import java.util.stream.Collectors;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;

/** How the cost of layers grows with length, as CSV and as a page with two charts: a level line is a cost in proportion to the length. */
record ScalingReport(List<Point> points, Map<String, String> machine) {

    /** One line a point. */
    String csv() {
        return points.stream()
                .map(p -> String.format(Locale.ROOT, "%s,%d,%.6f,%d", p.core(), p.tokens(), p.seconds(), p.peakBytes()))
                .collect(Collectors.joining("\n", "core,tokens,seconds,peakBytes\n", "\n"));
    }

    /** The page. */
    String html() {
        return HtmlReport.page("Cost by length", """
                <p>Forward and backward of each layer's core, one sequence, width 512 in heads of 64, float32. A level line means that twice
                the tokens cost twice as much.</p>
                <h2>Time for a token</h2>
                <div class="card">%s</div>
                <h2>Off-heap memory for a token, at most</h2>
                <div class="card">%s</div>
                <h2>Machine</h2>
                <div class="card">%s</div>
                """.formatted(
                        chart("microseconds a token", p -> p.seconds() * 1e6 / p.tokens()),
                        chart("kilobytes a token", p -> p.peakBytes() / 1024.0 / p.tokens()),
                        HtmlReport.table(machine)));
    }

    private String chart(String axis, ToDoubleFunction<Point> value) {
        return Charts.drawn("chart", "scaling.csv", () -> {
            XYChart chart = new XYChartBuilder().width(Charts.WIDTH).height(Charts.HEIGHT + 60).xAxisTitle("tokens").yAxisTitle(axis).build();
            Charts.style(chart.getStyler());
            chart.getStyler().setXAxisLogarithmic(true).setYAxisLogarithmic(true);
            List<String> cores = points.stream().map(Point::core).distinct().toList();
            for (int i = 0; i < cores.size(); i++) {
                String core = cores.get(i);
                List<Point> own = points.stream().filter(p -> p.core().equals(core)).toList();
                Charts.line(chart, core, i, own.stream().mapToDouble(Point::tokens).toArray(), own.stream().mapToDouble(value).toArray());
            }
            return Charts.svg(chart);
        });
    }
}
