package dev.gatun.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class ProgressTest {

    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private final PrintStream out = new PrintStream(bytes, true, UTF_8);

    @Test
    void without_a_terminal_there_is_a_line_at_the_start_every_five_seconds_and_at_the_end() {
        AtomicLong clock = new AtomicLong(1);
        try (Progress progress = new Progress.Lines(out, clock::get)) {
            for (int step = 1; step <= 12; step++) {
                progress.show(new Progress.State(step, 5.5 / step, 12_345, 210_000_000, step / 12.0, 12 - step));
                clock.addAndGet(1_000_000_000);
            }
        }

        assertEquals(
                """
                  8 %  step 1  loss 5.500  12 k tok/s  210 MB off-heap  0:11 left
                 50 %  step 6  loss 0.917  12 k tok/s  210 MB off-heap  0:06 left
                 92 %  step 11  loss 0.500  12 k tok/s  210 MB off-heap  0:01 left
                100 %  step 12  loss 0.458  12 k tok/s  210 MB off-heap  0:00 left
                """,
                bytes.toString(UTF_8).replace(System.lineSeparator(), "\n"));
    }

    @Test
    void a_bar_fits_the_terminal_and_shows_the_numbers() {
        try (Progress progress = new Progress.Bar(out, 120)) {
            progress.show(new Progress.State(7, 2.25, 12_345, 210_000_000, 0.5, 60));
        }
        String last = bytes.toString(UTF_8).strip();
        last = last.substring(last.lastIndexOf('\r') + 1).replaceAll("\033\\[[0-9;]*[mK]", "");

        assertTrue(last.contains("50%"), last);
        assertTrue(last.contains("step 7  loss 2.250  12 k tok/s  210 MB off-heap"), last);
        assertTrue(last.codePointCount(0, last.length()) < 120, last);
    }
}
