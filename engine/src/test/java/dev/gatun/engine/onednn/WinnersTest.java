package dev.gatun.engine.onednn;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

class WinnersTest {

    private static final Map<String, String> TABLE = new LinkedHashMap<>();

    static {
        TABLE.put("matmul:few", "onednn");
        TABLE.put("matmul:large", "vector");
        TABLE.put("softmax:long", "vector");
    }

    @Test
    void the_committed_table_names_who_computes() {
        assertTrue(Set.of("onednn", "vector").containsAll(Winners.table().values()), Winners.table().toString());
    }

    @Test
    void nothing_asked_means_what_was_measured() {
        assertEquals(Set.of("matmul:few"), Winners.won(null, TABLE));
    }

    @Test
    void an_op_stands_for_all_its_shapes() {
        assertEquals(Set.of("matmul:few", "matmul:large"), Winners.won("matmul", TABLE));
        assertEquals(Set.of("matmul:large", "softmax:long"), Winners.won("softmax, matmul:large", TABLE));
    }

    @Test
    void all_and_none_are_what_they_say() {
        assertEquals(TABLE.keySet(), Winners.won("all", TABLE));
        assertEquals(Set.of(), Winners.won("none", TABLE));
    }

    @Test
    void a_name_that_is_not_in_the_table_is_refused() {
        assertEquals("gatun.onednn.use: no \"matmul:huge\"; there are all, none, matmul:few, matmul:large, softmax:long",
                assertThrows(IllegalArgumentException.class, () -> Winners.won("matmul:huge", TABLE)).getMessage());
    }
}
