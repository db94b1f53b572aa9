package dev.gatun.bench.suite;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.layers.io.FormatException;
import dev.gatun.layers.io.Json;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ReportTest {

    private static final Row STEADY = new Row("products", "a", 2e6, 1e3,
            Map.of(Peer.GATUN, new double[] {10_000, 11_000}, Peer.TORCH, new double[] {21_000, 21_000}), "");
    private static final Row UNSTEADY = new Row("rows", "b", 0, 4e4, Map.of(Peer.GATUN, new double[] {1000, 1250}), "");
    private static final Row FAILED = new Row("rows", "c", 0, 0, Map.of(), "result 0 of gatun and libtorch differs by \"much\"");
    private static final Report REPORT = new Report(
            new Roof(400e9, 40e9), 2, Pace.QUICK, List.of(STEADY, UNSTEADY, FAILED), Map.of(Peer.ONEDNN, "not found"));

    @Test
    void a_ratio_is_how_many_times_as_long_as_ours_a_peer_takes() {
        assertEquals(2, STEADY.ratio(Peer.TORCH), 1e-12);
        assertEquals(2, REPORT.mean(Peer.TORCH, "products").orElseThrow(), 1e-12);
        assertTrue(REPORT.mean(Peer.TORCH, "rows").isEmpty());
    }

    @Test
    void forks_that_differ_by_more_than_a_fifth_are_flagged() {
        assertFalse(STEADY.unsteady());
        assertTrue(UNSTEADY.unsteady());
        assertTrue(REPORT.text().contains("1.00 us 1.25 us  ! forks differ by 25 %"), REPORT.text());
    }

    @Test
    void the_share_of_the_roof_is_of_whatever_limits_the_row() {
        // 2e6 operations at 400e9 a second are 5 us, 4e4 bytes at 40e9 are 1 us
        assertEquals(5000 / 10_500.0, STEADY.share(REPORT.roof()), 1e-12);
        assertEquals(1000 / 1125.0, UNSTEADY.share(REPORT.roof()), 1e-12);
    }

    @Test
    void the_json_holds_every_fork_and_every_failure() throws FormatException {
        Map<?, ?> json = (Map<?, ?>) Json.parse(REPORT.json(Map.of("processor", "an \"odd\" one")));
        List<?> rows = (List<?>) json.get("rows");
        assertEquals(3, rows.size());
        assertEquals(FAILED.failure(), ((Map<?, ?>) rows.get(2)).get("failure"));
        assertEquals(Map.of("onednn", "not found"), json.get("absent"));
        Map<?, ?> nanos = (Map<?, ?>) ((Map<?, ?>) rows.get(1)).get("nanos");
        assertEquals(2, ((List<?>) nanos.get("gatun")).size());
    }

    @Test
    void what_a_fork_writes_is_what_is_read(@TempDir Path folder) throws IOException {
        Case one = Cases.all().getFirst();
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (PrintStream out = new PrintStream(bytes, true, StandardCharsets.UTF_8)) {
            Found.roof(out, new Roof(3, 4));
            Found.work(out, one, 48);
            Found.time(out, one, Peer.GATUN, 12.5);
            Found.failure(out, one, "broken\tby\na test");
        }
        Found found = Found.read(Files.write(folder.resolve("found"), bytes.toByteArray()), List.of(one));
        Row row = found.rows().get(one.id());
        assertEquals(new Roof(3, 4), found.roof());
        assertEquals(List.of(one.flops(), 48.0, "broken by a test"), List.of(row.flops(), row.bytes(), row.failure()));
        assertArrayEquals(new double[] {12.5}, row.forks().get(Peer.GATUN));
    }

    @Test
    void rows_have_names_of_their_own_and_libtorch_beside_them() throws IOException {
        Set<String> ids = new HashSet<>();
        for (Case one : Cases.all()) {
            assertTrue(ids.add(one.id()), one.id());
            assertTrue(one.peers().containsAll(List.of(Peer.GATUN, Peer.TORCH)), one.id());
        }
    }
}
