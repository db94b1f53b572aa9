package dev.gatun.cli;

import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Font;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.knowm.xchart.VectorGraphicsEncoder;
import org.knowm.xchart.VectorGraphicsEncoder.VectorGraphicsFormat;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.internal.chartpart.Chart;
import org.knowm.xchart.style.AxesChartStyler;
import org.knowm.xchart.style.Styler.LegendPosition;
import org.knowm.xchart.style.markers.SeriesMarkers;

/**
 * Bits per byte over the steps of a run, as SVG for a page. The drawing uses stand-in colours, which become the page's
 * own variables, so that it follows the page into a dark theme.
 */
final class LossChart {

    /** A colour of the drawing and the variable of the page that takes its place. */
    enum Ink {
        TEXT("--soft"),
        GRID("--line"),
        BATCH("--faint"),
        SMOOTH("--accent"),
        HELD_OUT("--good"),
        DEFLATE("--warn");

        final String variable;

        Ink(String variable) {
            this.variable = variable;
        }

        // Nearly black, each different from the others.
        Color color() {
            return new Color(1, 2, 3 + ordinal());
        }
    }

    /** More points than pixels say nothing. */
    private static final int POINTS = 600;

    static final int WIDTH = 920;
    static final int HEIGHT = 380;

    private LossChart() {}

    /** The SVG element; {@code deflate} is drawn as a level line. */
    static String svg(List<Metrics.Row> rows, double deflate) throws IOException {
        System.setProperty("java.awt.headless", "true");
        XYChart chart =
                new XYChartBuilder().width(WIDTH).height(HEIGHT).xAxisTitle("step").yAxisTitle("bits per byte").build();
        style(chart.getStyler());
        chart.getStyler().setYAxisMin(0.0).setYAxisMax(8.0);
        chart.getStyler().setXAxisDecimalPattern("#,##0");

        double[] steps = binned(rows.stream().mapToDouble(Metrics.Row::step).toArray());
        double[] batch = binned(rows.stream().mapToDouble(Metrics.Row::bits).toArray());
        line(chart, "each batch", steps, batch, Ink.BATCH, new BasicStroke(1f));
        line(chart, "smoothed", steps, smoothed(batch), Ink.SMOOTH, new BasicStroke(2.2f));

        List<Metrics.Row> judged = rows.stream().filter(row -> !Double.isNaN(row.heldOut())).toList();
        if (!judged.isEmpty()) {
            XYSeries series = line(
                    chart,
                    "held-out text",
                    judged.stream().mapToDouble(Metrics.Row::step).toArray(),
                    judged.stream().mapToDouble(Metrics.Row::heldOut).toArray(),
                    Ink.HELD_OUT,
                    new BasicStroke(1.6f));
            chart.getStyler().setMarkerSize(7);
            series.setMarker(SeriesMarkers.CIRCLE).setMarkerColor(Ink.HELD_OUT.color());
        }
        double[] ends = {steps[0], steps[steps.length - 1]};
        line(chart, "deflate", ends, new double[] {deflate, deflate}, Ink.DEFLATE, new BasicStroke(
                1.6f, BasicStroke.CAP_BUTT, BasicStroke.JOIN_ROUND, 10f, new float[] {6f, 5f}, 0f));

        return svg(chart);
    }

    /** A drawing whose stand-in colours have become the page's. */
    static String svg(Chart<?, ?> chart) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        VectorGraphicsEncoder.saveVectorGraphic(chart, out, VectorGraphicsFormat.SVG);
        return themed(out.toString(StandardCharsets.UTF_8));
    }

    private static XYSeries line(XYChart chart, String name, double[] x, double[] y, Ink ink, BasicStroke stroke) {
        XYSeries series = chart.addSeries(name, x, y);
        series.setMarker(SeriesMarkers.NONE);
        series.setLineColor(ink.color());
        series.setLineStyle(stroke);
        return series;
    }

    /** How drawings look on our pages: no frame, no ground, a few quiet lines. */
    static void style(AxesChartStyler style) {
        Color clear = new Color(0, 0, 0, 0);
        Font font = new Font(Font.SANS_SERIF, Font.PLAIN, 13);
        style.setChartBackgroundColor(clear);
        style.setPlotBackgroundColor(clear);
        style.setPlotBorderVisible(false);
        style.setChartTitleVisible(false);
        style.setChartPadding(4);
        style.setChartFontColor(Ink.TEXT.color());
        style.setBaseFont(font);
        style.setLegendPosition(LegendPosition.InsideNE);
        style.setLegendBackgroundColor(clear);
        style.setLegendBorderColor(clear);
        style.setLegendFont(font);
        style.setPlotGridLinesColor(Ink.GRID.color());
        style.setPlotGridLinesStroke(new BasicStroke(1f));
        style.setPlotGridVerticalLinesVisible(false);
        style.setAxisTickMarksColor(Ink.GRID.color());
        style.setAxisTickLabelsColor(Ink.TEXT.color());
        style.setAxisTickLabelsFont(font);
        style.setAxisTitleFont(font);
        style.setXAxisTitleColor(Ink.TEXT.color());
        style.setYAxisTitleColor(Ink.TEXT.color());
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

    private static String themed(String document) {
        String svg = document.substring(document.indexOf("<svg"));
        for (Ink ink : Ink.values()) {
            Color c = ink.color();
            svg = svg.replace(
                    "rgb(%d,%d,%d)".formatted(c.getRed(), c.getGreen(), c.getBlue()), "var(%s)".formatted(ink.variable));
        }
        return svg;
    }
}
