package dev.gatun.cli;

import static java.time.Duration.ofMillis;

import java.io.PrintStream;
import java.util.Locale;
import java.util.Optional;
import java.util.function.LongSupplier;
import me.tongfei.progressbar.DelegatingProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/** How far a training run is: a bar on a terminal, and elsewhere a line every few seconds. */
interface Progress extends AutoCloseable {

    /** The state after one step. {@code fraction} runs from 0 to 1; {@code left} is what remains, in seconds. */
    record State(long step, double loss, double tokensPerSecond, long offHeap, double fraction, double left) {

        private String numbers() {
            return String.format(
                    Locale.ROOT,
                    "loss %.3f  %s tok/s  %s off-heap",
                    loss,
                    HtmlReport.compact(Math.round(tokensPerSecond)),
                    megabytes(offHeap));
        }

        private static String megabytes(long bytes) {
            return String.format(Locale.ROOT, "%,d MB", Math.round(bytes / 1e6));
        }
    }

    /** Shows a state. */
    void show(State state);

    /** Says something without spoiling the bar. */
    void say(String line);

    @Override
    void close();

    /** A bar where {@code columns} of a terminal are known, lines where it is 0. */
    static Progress on(PrintStream out, int columns) {
        return columns > 0 ? new Bar(out, columns) : new Lines(out, System::nanoTime);
    }

    /** The launcher knows whether there is a terminal, and how wide. */
    static int columns() {
        return Integer.getInteger("gatun.columns", 0);
    }

    /** A bar that is drawn over itself. */
    final class Bar implements Progress {

        private static final int SCALE = 1000;

        private final PrintStream out;
        private final ProgressBar bar;
        private volatile double left = Double.NaN;

        Bar(PrintStream out, int columns) {
            this.out = out;
            this.bar = new ProgressBarBuilder()
                    .setInitialMax(SCALE)
                    .setTaskName("training")
                    .setStyle(ProgressBarStyle.COLORFUL_UNICODE_BLOCK)
                    .setUpdateIntervalMillis(200)
                    .setConsumer(new DelegatingProgressBarConsumer(this::draw, columns - 1))
                    .setEtaFunction(state -> Double.isNaN(left) ? Optional.empty() : Optional.of(ofMillis((long) (left * 1000))))
                    .build();
        }

        @Override
        public void show(State state) {
            left = state.left();
            bar.setExtraMessage(" step " + state.step() + "  " + state.numbers());
            bar.stepTo((long) (SCALE * state.fraction()));
        }

        @Override
        public void say(String line) {
            synchronized (out) {
                out.println("\r\033[K" + line);
            }
        }

        @Override
        public void close() {
            bar.close();
            out.println();
        }

        private void draw(String line) {
            synchronized (out) {
                out.print("\r" + line + "\033[K");
                out.flush();
            }
        }
    }

    /** A line every few seconds, for logs. */
    final class Lines implements Progress {

        private static final long EVERY_NANOS = 5_000_000_000L;

        private final PrintStream out;
        private final LongSupplier clock;
        private long next;
        private State last;
        private boolean shown = true;

        Lines(PrintStream out, LongSupplier clock) {
            this.out = out;
            this.clock = clock;
            this.next = clock.getAsLong();
        }

        @Override
        public void show(State state) {
            last = state;
            shown = false;
            if (clock.getAsLong() - next >= 0) {
                print();
                next = clock.getAsLong() + EVERY_NANOS;
            }
        }

        @Override
        public void say(String line) {
            out.println(line);
        }

        @Override
        public void close() {
            if (!shown) {
                print();
            }
        }

        private void print() {
            out.printf(
                    Locale.ROOT,
                    "%3.0f %%  step %d  %s  %s left%n",
                    100 * last.fraction(),
                    last.step(),
                    last.numbers(),
                    HtmlReport.duration(last.left()));
            shown = true;
        }
    }
}
