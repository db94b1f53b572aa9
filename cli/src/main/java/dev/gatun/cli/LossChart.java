package dev.gatun.cli;

import java.awt.BasicStroke;
import java.io.IOException;
import java.util.List;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** Bits per byte over the steps of a run, as SVG for a page. */
final class LossChart {

    /** More points than pixels say nothing. */
    private static final int POINTS = 600;

    private LossChart() {}

    /** The SVG element; {@code deflate} is drawn as a level line. */
    static String svg(List<Metrics.Row> rows, double deflate) throws IOException {
        XYChart chart =
                new XYChartBuilder().width(Charts.WIDTH).height(Charts.HEIGHT).xAxisTitle("step").yAxisTitle("bits per byte").build();
        Charts.style(chart.getStyler());
        chart.getStyler().setYAxisMin(0.0).setYAxisMax(8.0);
        chart.getStyler().setXAxisDecimalPattern("#,##0");

        double[] steps = binned(rows.stream().mapToDouble(Metrics.Row::step).toArray());
        double[] batch = binned(rows.stream().mapToDouble(Metrics.Row::bits).toArray());
        line(chart, "each batch", steps, batch, Charts.Ink.BATCH, new BasicStroke(1f));
        line(chart, "smoothed", steps, smoothed(batch), Charts.Ink.SMOOTH, new BasicStroke(2.2f));

        List<Metrics.Row> judged = rows.stream().filter(row -> !Double.isNaN(row.heldOut())).toList();
        if (!judged.isEmpty()) {
            XYSeries series = line(
                    chart,
                    "held-out text",
                    judged.stream().mapToDouble(Metrics.Row::step).toArray(),
                    judged.stream().mapToDouble(Metrics.Row::heldOut).toArray(),
                    Charts.Ink.HELD_OUT,
                    new BasicStroke(1.6f));
            chart.getStyler().setMarkerSize(7);
            series.setMarker(SeriesMarkers.CIRCLE).setMarkerColor(Charts.Ink.HELD_OUT.color());
        }
        double[] ends = {steps[0], steps[steps.length - 1]};
        line(chart, "deflate", ends, new double[] {deflate, deflate}, Charts.Ink.DEFLATE, new BasicStroke(
                1.6f, BasicStroke.CAP_BUTT, BasicStroke.JOIN_ROUND, 10f, new float[] {6f, 5f}, 0f));

        return Charts.svg(chart);
    }

    private static XYSeries line(XYChart chart, String name, double[] x, double[] y, Charts.Ink ink, BasicStroke stroke) {
        XYSeries series = chart.addSeries(name, x, y);
        series.setMarker(SeriesMarkers.NONE);
        series.setLineColor(ink.color());
        series.setLineStyle(stroke);
        return series;
    }

    /** Means of neighbours, so that at most {@link #POINTS} are left. */
    static double[] binned(double[] values) {
        int size = (values.length + POINTS - 1) / POINTS;
        if (size <= 1) {
            return values;
        }
        double[] means = new double[(values.length + size - 1) / size];
        for (int bin = 0; bin < means.length; bin++) {
            int to = Math.min(values.length, (bin + 1) * size);
            for (int i = bin * size; i < to; i++) {
                means[bin] += values[i] / (to - bin * size);
            }
        }
        return means;
    }

    /** Each value becomes the mean of its neighbourhood, a fortieth of the curve to each side and less near the ends. */
    static double[] smoothed(double[] values) {
        double[] sums = new double[values.length + 1];
        for (int i = 0; i < values.length; i++) {
            sums[i + 1] = sums[i] + values[i];
        }
        double[] smooth = new double[values.length];
        for (int i = 0; i < values.length; i++) {
            int reach = Math.min(values.length / 40, Math.min(i, values.length - 1 - i));
            smooth[i] = (sums[i + reach + 1] - sums[i - reach]) / (2 * reach + 1);
        }
        return smooth;
    }

}
