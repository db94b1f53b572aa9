package dev.gatun.cli;

import dev.gatun.engine.Key;
import dev.gatun.layers.model.Writer;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Trains a byte-level language model and reports how well it did. */
@Command(
        name = "train",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        description = "Trains a byte-level language model on text: the Java sources of this JDK, or a text of yours.")
final class TrainCommand implements Callable<Integer> {

    /** How much held-out text is judged: as much as takes a few seconds, within these bounds. */
    private static final int LEAST_JUDGED = 1 << 14;

    private static final int MOST_JUDGED = 1 << 17;
    private static final double JUDGED_PER_SPEED = 12;
    private static final int SAMPLE = 600;
    private static final double SAMPLE_TEMPERATURE = 0.7;
    private static final int SAMPLE_TOP = 40;

    /** What a run is made of; a resumed run has these already. */
    static final class Shape {

        @Option(names = "--text", paramLabel = "PATH", description = "A file, or a folder of text files, to learn from.")
        Path text;

        @Option(names = "--layer", paramLabel = "NAME", description = "What mixes tokens (default: attention); several, with commas between, are for the blocks in turn.")
        String layer;

        @Option(names = "--width", paramLabel = "N", description = "Features of a token (default: 128).")
        Long width;

        @Option(names = "--depth", paramLabel = "N", description = "Blocks (default: 4).")
        Long depth;

        @Option(names = "--heads", paramLabel = "N", description = "Heads of attention (default: one for 32 features).")
        Long heads;

        @Option(names = "--kv-heads", paramLabel = "N", description = "Key and value heads (default: half the heads).")
        Long kvHeads;

        @Option(names = "--context", paramLabel = "N", description = "Bytes of a training sequence (default: 256).")
        Long context;

        @Option(names = "--batch", paramLabel = "N", description = "Sequences of a step (default: 8).")
        Long batch;

        @Option(names = "--untied", description = "Gives the head weights of its own instead of the embedding's.")
        boolean untied;

        @Option(names = "--rate", paramLabel = "X", description = "The highest learning rate (default: 0.003).")
        Double rate;

        @Option(names = "--seed", paramLabel = "N", description = "Of the cut of the text, weights and batches (default: 1).")
        Long seed;

        @Option(names = "--out", paramLabel = "DIR", description = "Where the run keeps its files (default: runs/<time>-<layer>).")
        Path out;
    }

    @ArgGroup(exclusive = false, validate = false)
    private final Shape shape = new Shape();

    @Option(names = "--steps", paramLabel = "N", description = "Ends after so many steps.")
    private Long steps;

    @Option(names = "--minutes", paramLabel = "X", description = "Ends after so much time (default: 2, when no --steps are given).")
    private Double minutes;

    @Option(names = "--resume", paramLabel = "DIR", description = "Goes on with a run; --steps and --minutes count from its start.")
    private Path resume;

    @Mixin
    private Threads threads;

    @Mixin
    private On on;

    @Override
    public Integer call() throws IOException {
        threads.apply();
        train();
        return 0;
    }

    private void train() throws IOException {
        RunFolder folder;
        Settings settings;
        if (resume == null) {
            settings = fresh();
            folder = null;
        } else {
            refuseShape();
            folder = RunFolder.existing("--resume", resume);
            settings = resumed(Settings.read(folder.config()));
        }
        Corpus corpus = corpus(settings).requireWindow((int) settings.context());
        if (folder == null) {
            folder = shape.out == null
                    ? RunFolder.create(Path.of("runs"), LocalDateTime.now(), settings.layer())
                    : RunFolder.at(shape.out);
        } else if (!corpus.fingerprint().equals(settings.fingerprint())) {
            throw new UserError("--resume: the text is not the one that " + resume + " was trained on: " + corpus.describe());
        }
        settings = settings.reading(corpus.fingerprint());
        settings.write(folder.config());
        System.err.println(corpus.describe());

        Training training = new Training(settings, folder, corpus, on.device());
        if (resume != null) {
            training.resume();
        }
        System.err.printf(
                Locale.ROOT,
                "%s, %,d parameters, %d bytes a step, into %s%n",
                settings.layer(),
                training.model().params().count(),
                settings.batch() * settings.context(),
                folder.path());
        train(settings, folder, corpus, training);
    }

    private void train(Settings settings, RunFolder folder, Corpus corpus, Training training) throws IOException {
        try (Interrupt interrupt = Interrupt.listen(() -> System.err.println("\nstopping ..."))) {
            List<Metrics.Row> rows;
            try (Progress progress = Progress.on(System.err, Progress.columns())) {
                rows = training.run(progress, interrupt);
            }
            if (interrupt.requested()) {
                System.err.println("stopped after step " + training.steps() + "; go on with: gatun train --resume " + folder.path());
                return;
            }
            report(settings, folder, corpus, training, rows);
        }
    }

    private static void report(
            Settings settings, RunFolder folder, Corpus corpus, Training training, List<Metrics.Row> rows) throws IOException {
        double speed = rows.getLast().tokens() / rows.getLast().seconds();
        int most = (int) Math.clamp(JUDGED_PER_SPEED * speed, LEAST_JUDGED + settings.context(), MOST_JUDGED + settings.context());
        Judge judge = new Judge(corpus.heldOut(), (int) settings.context(), most);
        double heldOut = judge.bitsPerByte(training.model().frozen());
        double deflate = Deflate.bitsPerByte(judge.text());
        String prompt = prompt(settings, corpus);
        String sample = sample(training, settings, prompt);
        Files.writeString(folder.sample(), prompt + sample);
        Map<String, String> configuration = new LinkedHashMap<>();
        settings.values().forEach((name, value) -> configuration.put(name, value.toString()));
        configuration.put("text", corpus.origin());
        configuration.put("parameters", String.format(Locale.ROOT, "%,d", training.model().params().count()));
        Files.writeString(
                folder.report(),
                new HtmlReport(
                                folder.name(), heldOut, deflate, judge.text().length, rows, prompt, sample, configuration,
                                DoctorCommand.facts())
                        .html());
        System.out.printf(
                Locale.ROOT,
                """

                held-out text  %.3f bits per byte, on %,d bytes
                deflate        %.3f bits per byte, on the same

                %s%s

                %s holds checkpoint, metrics.csv and report.html
                more text: gatun generate --run %s
                """,
                heldOut,
                judge.text().length,
                deflate,
                prompt,
                sample,
                folder.path(),
                folder.path());
    }

    /** How code may begin; for another text, how its held-out part begins. */
    private static String prompt(Settings settings, Corpus corpus) {
        return settings.text().isEmpty()
                ? "    /**\n     * Returns "
                : new String(corpus.heldOut().head(24), StandardCharsets.UTF_8);
    }

    private static String sample(Training training, Settings settings, String prompt) {
        Writer writer = new Writer(
                training.model(), Key.of(settings.seed()).child("sample"), SAMPLE_TEMPERATURE, SAMPLE_TOP);
        ByteArrayOutputStream written = new ByteArrayOutputStream();
        GenerateCommand.write(writer, prompt.getBytes(StandardCharsets.UTF_8), SAMPLE, written::write);
        return written.toString(StandardCharsets.UTF_8);
    }

    /** The text that a run learns from. */
    static Corpus corpus(Settings settings) {
        return settings.text().isEmpty()
                ? Corpus.ofJdk(Path.of(System.getProperty("java.home")), settings.seed())
                : Corpus.of(Path.of(settings.text()), settings.seed());
    }

    private Settings fresh() {
        long width = or(shape.width, 128L);
        long heads = or(shape.heads, Settings.heads(width));
        return new Settings(
                shape.text == null ? "" : shape.text.toAbsolutePath().normalize().toString(),
                or(shape.layer, "attention"),
                width,
                or(shape.depth, 4L),
                heads,
                or(shape.kvHeads, Settings.kvHeads(heads)),
                or(shape.context, 256L),
                or(shape.batch, 8L),
                !shape.untied,
                or(shape.rate, Settings.RATE),
                given("--steps", steps),
                minutes == null && steps != null ? 0 : given("--minutes", or(minutes, 2.0)),
                or(shape.seed, 1L),
                "");
    }

    private Settings resumed(Settings before) {
        if (steps == null && minutes == null) {
            return before;
        }
        return before.until(given("--steps", steps), minutes == null ? 0 : given("--minutes", minutes));
    }

    private void refuseShape() {
        boolean none = shape.text == null && shape.layer == null && shape.width == null && shape.depth == null
                && shape.heads == null && shape.kvHeads == null && shape.context == null && shape.batch == null
                && !shape.untied && shape.rate == null && shape.seed == null && shape.out == null;
        if (!none) {
            throw new UserError("--resume: goes on with what the run was made of; only --steps, --minutes and --threads go with it");
        }
    }

    private static <T> T or(T given, T otherwise) {
        return given == null ? otherwise : given;
    }

    // 0 is how settings say "no limit"; nobody types it and means that.
    private static long given(String option, Long value) {
        if (value != null && value < 1) {
            throw new UserError(option + ": must be at least 1, is " + value);
        }
        return or(value, 0L);
    }

    private static double given(String option, double value) {
        if (!(value > 0)) {
            throw new UserError(option + ": must be more than 0, is " + value);
        }
        return value;
    }
}
