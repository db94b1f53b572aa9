package dev.gatun.cli;

import dev.gatun.engine.DType;
import dev.gatun.engine.Device;
import dev.gatun.engine.Key;
import dev.gatun.engine.Scope;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import dev.gatun.layers.Form;
import dev.gatun.layers.Params;
import dev.gatun.layers.States;
import dev.gatun.layers.SwiGlu;
import dev.gatun.layers.model.LanguageModel;
import dev.gatun.layers.model.Recall;
import dev.gatun.layers.model.Trainer;
import dev.gatun.layers.optim.AdamW;
import dev.gatun.layers.optim.Schedule;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Trains every layer in the same model, on text and on associative recall, and puts them beside each other. */
@Command(
        name = "compare",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        description = "Trains a model of every layer for the same time on the same text, and on associative recall, and compares them.")
final class CompareCommand implements Callable<Integer> {

    private static final int[] PAIRS = {4, 8, 16, 32};
    private static final int RECALL_BATCH = 16;
    private static final int RECALL_WIDTH = 64;
    private static final double RECALL_RATE = 3e-3;
    private static final int ASKED_BATCHES = 8;
    private static final int MOST_JUDGED = 1 << 16;

    @Option(names = "--layers", paramLabel = "NAMES", split = ";",
            description = "Layers or patterns of layers, with semicolons between (default: every layer by itself).")
    private List<String> layers;

    @Option(names = "--text", paramLabel = "PATH", description = "What to learn from (default: the sources of this JDK).")
    private Path text;

    @Option(names = "--minutes", paramLabel = "X", defaultValue = "2", description = "Time on text for each layer; 0 leaves it out (default: 2).")
    private double minutes;

    @Option(names = "--recall-steps", paramLabel = "N", defaultValue = "600",
            description = "Steps on associative recall for each layer; 0 leaves it out (default: 600).")
    private long recallSteps;

    @Option(names = "--width", paramLabel = "N", defaultValue = "128", description = "Features of a token (default: 128).")
    private long width;

    @Option(names = "--depth", paramLabel = "N", defaultValue = "4", description = "Blocks (default: 4).")
    private long depth;

    @Option(names = "--context", paramLabel = "N", defaultValue = "256", description = "Bytes of a training sequence (default: 256).")
    private int context;

    @Option(names = "--batch", paramLabel = "N", defaultValue = "8", description = "Sequences of a step (default: 8).")
    private long batch;

    @Option(names = "--seed", paramLabel = "N", defaultValue = "1", description = "Of weights and batches (default: 1).")
    private long seed;

    @Option(names = "--out", paramLabel = "DIR", description = "Where runs, compare.csv and compare.html go (default: runs/<time>-compare).")
    private Path out;

    @Mixin
    private Threads threads;

    @Override
    public Integer call() throws IOException {
        if (!(minutes >= 0) || recallSteps < 0 || minutes == 0 && recallSteps == 0) {
            throw new UserError("--minutes and --recall-steps: must not be negative, and not both 0; are " + minutes + " and " + recallSteps);
        }
        threads.apply();
        List<String> names = layers == null ? LanguageModel.layers() : layers;
        names.forEach(this::settings); // refuses what cannot be trained before anything is
        RunFolder folder = out == null ? RunFolder.create(Path.of("runs"), LocalDateTime.now(), "compare") : RunFolder.at(out);
        Corpus corpus = minutes == 0 ? null : TrainCommand.corpus(settings(names.getFirst())).requireWindow(context);
        Judge judge = corpus == null ? null : new Judge(corpus.heldOut(), context, MOST_JUDGED + context);
        double deflate = judge == null ? Double.NaN : Deflate.bitsPerByte(judge.text());

        List<Comparison.Entry> entries = new ArrayList<>();
        Comparison comparison = null;
        try (Interrupt interrupt = Interrupt.listen(() -> System.err.println("\nstopping ..."))) {
            for (String name : names) {
                System.err.println(name);
                Comparison.Entry entry = entry(name, folder, corpus, judge, interrupt);
                if (interrupt.requested()) {
                    break;
                }
                entries.add(entry);
                // Written after each layer: a comparison takes long, and what there is should not wait for the rest.
                comparison = new Comparison(List.copyOf(entries), deflate, recallSteps == 0 ? new int[0] : PAIRS, lengths(), conditions(corpus));
                Files.writeString(folder.path().resolve("compare.csv"), comparison.csv());
                Files.writeString(folder.path().resolve("compare.html"), comparison.html());
            }
        }
        if (comparison != null) {
            System.out.println(comparison.text());
            System.out.println(folder.path() + " holds compare.html, compare.csv and a folder for each run");
        }
        return entries.stream().allMatch(entry -> entry.failure().isEmpty()) ? 0 : 1;
    }

    private int[] lengths() {
        return new int[] {context, 4 * context};
    }

    private Settings settings(String layer) {
        long heads = Settings.heads(width);
        return new Settings(
                text == null ? "" : text.toAbsolutePath().normalize().toString(), layer, width, depth, heads,
                Settings.kvHeads(heads), context, batch, true, Settings.RATE, 0, minutes == 0 ? 1 : minutes, seed, "");
    }

    private Comparison.Entry entry(String name, RunFolder folder, Corpus corpus, Judge judge, Interrupt interrupt) throws IOException {
        long parameters = 0;
        double heldOut = Double.NaN;
        double speed = Double.NaN;
        long[] state = {};
        double[] recall = {};
        String failure = "";
        try {
            if (corpus != null) {
                RunFolder run = RunFolder.at(folder.path().resolve(name.replaceAll("[, ]+", "+")));
                Settings settings = settings(name).reading(corpus.fingerprint());
                settings.write(run.config());
                Training training = new Training(settings, run, corpus, Device.cpu());
                List<Metrics.Row> rows;
                try (Progress progress = Progress.on(System.err, Progress.columns())) {
                    rows = training.run(progress, interrupt);
                }
                LanguageModel model = training.model().frozen();
                parameters = model.params().count();
                speed = rows.getLast().tokens() / rows.getLast().seconds();
                heldOut = judge.bitsPerByte(model);
                state = new long[] {stateBytes(model, lengths()[0]), stateBytes(model, lengths()[1])};
            }
            if (recallSteps > 0 && !interrupt.requested()) {
                recall = recall(name, interrupt);
            }
        } catch (UserError | ArithmeticException e) {
            failure = e.getMessage();
        }
        return new Comparison.Entry(name, parameters, heldOut, speed, state, recall, failure);
    }

    /** Bytes that one sequence carries on after so many tokens. */
    private static long stateBytes(LanguageModel model, int tokens) {
        try (Scope scope = Scope.open("state")) {
            Tensor ids = Tensor.zeros(DType.I64, Shape.of(1, tokens));
            return States.tensors(model.forward(ids, model.start(1), Form.PARALLEL).state()).stream()
                    .mapToLong(tensor -> tensor.spec().bytes()).sum();
        }
    }

    /** A model of two layers learns sequences of all lengths in turn; then each length is asked for. */
    private double[] recall(String name, Interrupt interrupt) {
        LanguageModel.Config config = new LanguageModel.Config(
                name, Recall.VOCAB, RECALL_WIDTH, 2, 2, 2, SwiGlu.hidden(RECALL_WIDTH, 32), 3L * PAIRS[PAIRS.length - 1], false, 10_000, 0, false);
        Key key = Key.of(seed).child("recall");
        LanguageModel model = new LanguageModel(Params.fresh(key.child("model"), DType.F32), config);
        Trainer trainer = new Trainer(
                model, new AdamW(model.params(), AdamW.Settings.DEFAULT), Schedule.cosine(RECALL_RATE, RECALL_RATE / 20, recallSteps / 10, recallSteps),
                new Recall(PAIRS, RECALL_BATCH), key.child("training"), 1);
        while (trainer.steps() < recallSteps && !interrupt.requested()) {
            trainer.step();
        }
        LanguageModel still = model.frozen();
        return Arrays.stream(PAIRS)
                .mapToDouble(n -> Recall.accuracy(still, n, RECALL_BATCH, ASKED_BATCHES, key.child("asked")))
                .toArray();
    }

    private Map<String, String> conditions(Corpus corpus) {
        Map<String, String> conditions = new LinkedHashMap<>();
        if (corpus != null) {
            conditions.put("text", corpus.origin() + String.format(Locale.ROOT, ", %s minutes a layer", minutes));
            conditions.put("model", depth + " blocks of width " + width + ", batches of " + batch + " times " + context + " bytes");
        }
        if (recallSteps > 0) {
            conditions.put("recall", "2 blocks of width " + RECALL_WIDTH + ", " + recallSteps + " steps of " + RECALL_BATCH
                    + " sequences with " + Arrays.toString(PAIRS) + " pairs in turn");
        }
        conditions.put("seed", Long.toString(seed));
        conditions.putAll(DoctorCommand.facts());
        return conditions;
    }
}
