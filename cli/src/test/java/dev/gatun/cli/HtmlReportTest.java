package dev.gatun.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

class HtmlReportTest {

    private static final List<Metrics.Row> ROWS = LongStream.rangeClosed(1, 2000)
            .mapToObj(i -> new Metrics.Row(
                    i, i * 0.06, i * 1000, 5.5 / Math.sqrt(i), i % 500 == 0 ? 2.5 : Double.NaN, 1e-3, 1, 1 << 20))
            .toList();

    private static String page(double heldOut, double deflate, String sample) {
        return new HtmlReport(
                        "20260102-030405-transformer",
                        heldOut,
                        deflate,
                        262_144,
                        ROWS,
                        "public ",
                        sample,
                        Map.of("width", "128"),
                        Map.of("cores", "2"))
                .html();
    }

    @Test
    void the_page_asks_for_nothing_from_elsewhere() {
        String page = page(1.5, 2.0, "class A {}");

        assertFalse(page.contains("src="), "a picture or script");
        assertFalse(page.contains("<script"), "a script");
        assertFalse(page.contains("<link"), "a style sheet");
        assertFalse(page.replace("url(#", "").contains("url("), "a font or picture");
    }

    @Test
    void the_verdict_compares_with_deflate_either_way() {
        assertTrue(page(1.5, 2.0, "")
                .contains("On 262,144 bytes of files it never saw, the model needs 1.500 bits per byte: "
                        + "25 % smaller than deflate makes them (level 9, the same bytes)."));
        assertTrue(page(2.5, 2.0, "").contains("25 % larger than deflate makes them"));
    }

    @Test
    void what_a_model_writes_cannot_become_part_of_the_page() {
        assertTrue(page(1.5, 2.0, "</pre><script>alert(1)</script>\u0007")
                .contains("<pre><b>public </b>&lt;/pre&gt;&lt;script&gt;alert(1)&lt;/script&gt;\u2407</pre>"));
    }

    @Test
    void the_curve_is_drawn_in_colours_of_the_page() {
        String page = page(1.5, 2.0, "");
        assumeFalse(page.contains("could not be drawn"), "this machine has no fonts");
        String svg = page.substring(page.indexOf("<svg"), page.indexOf("</svg>"));

        for (String ink : List.of("--accent", "--good", "--warn", "--line", "--soft", "--faint")) {
            assertTrue(svg.contains("var(" + ink + ")"), ink);
        }
        assertFalse(svg.contains("rgb(1,2,"), "a stand-in colour is left");
    }

    @Test
    void a_long_curve_is_drawn_from_means_of_neighbours() {
        double[] values = IntStream.range(0, 1500).mapToDouble(i -> i).toArray();

        double[] means = LossChart.binned(values);

        assertEquals(500, means.length);
        assertEquals(1, means[0], 1e-12);
        assertEquals(1498, means[499], 1e-9);
    }

    @Test
    void smoothing_leaves_a_straight_line_as_it_is() {
        double[] line = IntStream.range(0, 200).mapToDouble(i -> 3 - 0.01 * i).toArray();

        assertArrayEquals(line, LossChart.smoothed(line), 1e-9);
    }

    @Test
    void numbers_are_short_enough_to_read() {
        assertEquals("9,999", HtmlReport.compact(9_999));
        assertEquals("26 k", HtmlReport.compact(26_400));
        assertEquals("3.1 M", HtmlReport.compact(3_072_000));
        assertEquals("2:12", HtmlReport.duration(132.4));
        assertEquals("1:00:05", HtmlReport.duration(3605));
    }
}
