package dev.gatun.cli;

import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** The numbers of a run, one CSV line a step, written as they come so that a kill loses none. */
final class Metrics implements AutoCloseable {

    /**
     * One step.
     *
     * @param step how many steps were made, this one included
     * @param seconds training time so far, over all resumptions
     * @param tokens bytes learned from so far
     * @param loss of the step's batch, in nats per byte
     * @param heldOut bits per byte on held-out text, NaN where it was not measured
     * @param rate the learning rate
     * @param gradient the gradient's norm before clipping
     * @param offHeap bytes held off-heap
     */
    record Row(
            long step, double seconds, long tokens, double loss, double heldOut, double rate, double gradient, long offHeap) {

        /** The loss in bits per byte, which compares with held-out text and with deflate. */
        double bits() {
            return loss / Math.log(2);
        }

        private String csv() {
            return String.format(
                    Locale.ROOT,
                    "%d,%.3f,%d,%.5f,%s,%.4g,%.4g,%d",
                    step,
                    seconds,
                    tokens,
                    loss,
                    Double.isNaN(heldOut) ? "" : String.format(Locale.ROOT, "%.5f", heldOut),
                    rate,
                    gradient,
                    offHeap);
        }

        private static Row parse(String line) {
            String[] cells = line.split(",", -1);
            return new Row(
                    Long.parseLong(cells[0]),
                    Double.parseDouble(cells[1]),
                    Long.parseLong(cells[2]),
                    Double.parseDouble(cells[3]),
                    cells[4].isEmpty() ? Double.NaN : Double.parseDouble(cells[4]),
                    Double.parseDouble(cells[5]),
                    Double.parseDouble(cells[6]),
                    Long.parseLong(cells[7]));
        }
    }

    private static final String HEADER =
            "step,seconds,tokens,loss_nats,heldout_bits,learning_rate,gradient_norm,offheap_bytes";

    private final List<Row> rows;
    private final BufferedWriter file;

    private Metrics(List<Row> rows, BufferedWriter file) {
        this.rows = rows;
        this.file = file;
    }

    /** Begins or continues a file: lines after {@code lastStep}, which the checkpoint does not know of, are dropped. */
    static Metrics open(Path path, long lastStep) throws IOException {
        List<Row> kept = new ArrayList<>();
        if (Files.exists(path)) {
            for (Row row : read(path)) {
                if (row.step() <= lastStep) {
                    kept.add(row);
                }
            }
        }
        BufferedWriter file = Files.newBufferedWriter(path);
        file.write(HEADER + "\n");
        for (Row row : kept) {
            file.write(row.csv() + "\n");
        }
        file.flush();
        return new Metrics(kept, file);
    }

    /** The lines of a file; a last line that a kill cut short is left out. */
    static List<Row> read(Path path) throws IOException {
        String text = Files.readString(path);
        return text.substring(0, text.lastIndexOf('\n') + 1)
                .lines()
                .skip(1)
                .map(Row::parse)
                .toList();
    }

    /** Writes one line. */
    void add(Row row) throws IOException {
        rows.add(row);
        file.write(row.csv() + "\n");
        file.flush();
    }

    /** All lines so far. */
    List<Row> rows() {
        return List.copyOf(rows);
    }

    @Override
    public void close() throws IOException {
        file.close();
    }
}
