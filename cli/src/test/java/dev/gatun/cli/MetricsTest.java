package dev.gatun.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MetricsTest {

    @TempDir
    Path folder;

    @Test
    void a_line_says_what_its_heading_says() throws IOException {
        Path file = folder.resolve("metrics.csv");
        try (Metrics metrics = Metrics.open(file, 0)) {
            metrics.add(new Metrics.Row(1, 0.25, 2048, 5.545, Double.NaN, 3e-4, 1.5, 1 << 20));
            metrics.add(new Metrics.Row(2, 0.5, 4096, 4.25, 6.125, 6e-4, 1.25, 1 << 20));
        }

        assertEquals(
                """
                step,seconds,tokens,loss_nats,heldout_bits,learning_rate,gradient_norm,offheap_bytes
                1,0.250,2048,5.54500,,0.0003000,1.500,1048576
                2,0.500,4096,4.25000,6.12500,0.0006000,1.250,1048576
                """,
                Files.readString(file));
    }

    @Test
    void what_was_written_is_read_back() throws IOException {
        Path file = folder.resolve("metrics.csv");
        List<Metrics.Row> rows = List.of(row(1), row(2), row(3));
        write(file, rows);

        assertEquals(rows, Metrics.read(file));
    }

    @Test
    void going_on_from_a_checkpoint_drops_the_lines_after_it() throws IOException {
        Path file = folder.resolve("metrics.csv");
        write(file, List.of(row(1), row(2), row(3)));
        try (Metrics metrics = Metrics.open(file, 2)) {
            metrics.add(row(3));
            metrics.add(row(4));
        }

        assertEquals(List.of(row(1), row(2), row(3), row(4)), Metrics.read(file));
    }

    @Test
    void a_line_cut_short_by_a_kill_is_left_out() throws IOException {
        Path file = folder.resolve("metrics.csv");
        write(file, List.of(row(1), row(2)));
        Files.writeString(file, "3,0.7", StandardOpenOption.APPEND);

        assertEquals(List.of(row(1), row(2)), Metrics.read(file));
    }

    @Test
    void eight_bits_are_eight_times_the_logarithm_of_two() {
        assertEquals(8, new Metrics.Row(1, 1, 1, Math.log(256), Double.NaN, 0, 0, 0).bits(), 1e-12);
    }

    private static Metrics.Row row(long step) {
        return new Metrics.Row(step, step * 0.5, step * 100, 5.5, step % 2 == 0 ? 7.25 : Double.NaN, 0.001, 2.5, 1000);
    }

    private static void write(Path file, List<Metrics.Row> rows) throws IOException {
        try (Metrics metrics = Metrics.open(file, 0)) {
            for (Metrics.Row row : rows) {
                metrics.add(row);
            }
        }
    }
}
