package dev.gatun.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.bench.suite.Pace;
import dev.gatun.bench.suite.Peer;
import dev.gatun.bench.suite.Report;
import dev.gatun.bench.suite.Roof;
import dev.gatun.bench.suite.Row;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class BenchReportTest {

    private static final BenchReport REPORT = new BenchReport(new Report(new Roof(400e9, 40e9), 2, Pace.QUICK,
            List.of(
                    new Row("products", "a<b", 2e6, 1e3, Map.of(Peer.GATUN, new double[] {10_000, 14_000}, Peer.TORCH, new double[] {24_000, 24_000}), ""),
                    new Row("rows", "alone", 1e3, 4e4, Map.of(Peer.GATUN, new double[] {1000, 1000}), ""),
                    new Row("rows", "broken", 0, 0, Map.of(), "they differ")),
            Map.of(Peer.ONEDNN, "not found")), Map.of("cores", "2"));

    @Test
    void the_page_needs_nothing_else_and_escapes_names() {
        String page = REPORT.html();
        assertFalse(page.contains("<script") || page.contains("src=") || page.contains("<link"));
        assertTrue(page.contains("<td>a&lt;b</td>"), page);
        assertFalse(page.contains("rgb(1,2,"), "a stand-in colour is left");
    }

    @Test
    void a_cell_says_the_ratio_or_that_there_is_no_peer() {
        String page = REPORT.html();
        assertTrue(page.contains("<td class=\"better\">2.00</td>"), page);
        assertTrue(page.contains("nothing like it"), page);
        assertTrue(page.contains("No onednn: not found."), page);
        assertTrue(page.contains("they differ") && page.contains("differ by 40 %"), page);
    }

    @Test
    void a_bar_ends_where_its_scale_does() {
        assertEquals(2, REPORT.html().split("<rect x=\"62.0\" y=\"3\" width=\"20.0\"", -1).length, "twice is a third of the way to eight times");
    }
}
