package dev.gatun.cli;

import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Font;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import org.knowm.xchart.VectorGraphicsEncoder;
import org.knowm.xchart.VectorGraphicsEncoder.VectorGraphicsFormat;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.internal.chartpart.Chart;
import org.knowm.xchart.style.AxesChartStyler;
import org.knowm.xchart.style.Styler.LegendPosition;
import org.knowm.xchart.style.markers.SeriesMarkers;

/**
 * Charts as SVG for a page. A drawing uses stand-in colours, which become the page's own variables, so that it follows the
 * page into a dark theme.
 */
final class Charts {

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

    static final int WIDTH = 920;
    static final int HEIGHT = 380;

    /** Different enough from one another on a light page and on a dark one. */
    private static final int[] HUES = {0x2E7FD0, 0xD9622B, 0x2BA36B, 0xB05CC6, 0xC9A227, 0xD2477C, 0x5A6ACF, 0x3FA7A3, 0x8C6D46, 0x7F8C2E};

    private Charts() {}

    /** Something that may fail to be drawn. */
    @FunctionalInterface
    interface Drawing {
        String svg() throws IOException;
    }

    /**
     * The drawing. A font is needed for one, and a bare machine may have none: the page then says so instead of not being there.
     *
     * @param what is drawn, for the words that stand in for it
     * @param file has its numbers
     */
    static String drawn(String what, String file, Drawing drawing) {
        System.setProperty("java.awt.headless", "true");
        try {
            return drawing.svg();
        } catch (IOException | RuntimeException | LinkageError | InternalError e) {
            return "<p>The %s could not be drawn (%s); its numbers are in %s.</p>".formatted(what, HtmlReport.escape(e.toString()), file);
        }
    }

    /** A drawing whose stand-in colours have become the page's. */
    static String svg(Chart<?, ?> chart) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        VectorGraphicsEncoder.saveVectorGraphic(chart, out, VectorGraphicsFormat.SVG);
        return themed(out.toString(StandardCharsets.UTF_8));
    }

    /** One of several lines with dots, told apart by the legend beside the drawing; beyond ten they are dashed. */
    static XYSeries line(XYChart chart, String name, int number, double[] x, double[] y) {
        Color color = new Color(HUES[number % HUES.length]);
        float[] dash = number < HUES.length ? null : new float[] {5f, 4f};
        XYSeries series = chart.addSeries(name, x, y);
        series.setMarkerColor(color).setMarker(SeriesMarkers.CIRCLE);
        series.setLineColor(color);
        series.setLineStyle(new BasicStroke(1.8f, BasicStroke.CAP_BUTT, BasicStroke.JOIN_ROUND, 10f, dash, 0f));
        chart.getStyler().setMarkerSize(6);
        chart.getStyler().setLegendPosition(LegendPosition.OutsideE);
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
