package dev.gatun.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.cli.Comparison.Entry;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class ComparisonTest {

    private static final Comparison TWO = new Comparison(
            List.of(
                    new Entry("attention", 771_200, 1.131, 20_500, new long[] {524_288, 2_097_152}, new double[] {1, 0.42}, ""),
                    new Entry("a<b", 10, Double.NaN, Double.NaN, new long[0], new double[0], "the loss is NaN")),
            1.517, new int[] {4, 8}, new int[] {256, 1024}, Map.of("seed", "1"));

    @Test
    void the_table_has_a_row_a_layer_and_one_for_deflate() {
        assertEquals(
                """
                "layer","parameters","bits/byte","bytes/s","state@256","state@1024","recall 4","recall 8"
                "attention","771,200","1.131","20,500","524,288","2,097,152","100 %","42 %"
                "a<b","10","","","","","",""
                "(deflate)","","1.517","","","","",""
                """,
                TWO.csv());
        assertTrue(TWO.text().endsWith("a<b: the loss is NaN\n"), TWO.text());
    }

    @Test
    void the_page_needs_nothing_else_and_escapes_names() {
        String page = TWO.html();
        assertFalse(page.contains("<script") || page.contains("src=") || page.contains("<link"));
        assertTrue(page.contains("<td>a&lt;b</td>") && page.contains("a&lt;b: the loss is NaN"));
        assertFalse(page.contains("rgb(1,2,"), "a stand-in colour is left");
    }
}
