package dev.gatun.layers.model;

import static dev.gatun.autograd.Autograd.grad;

import dev.gatun.engine.Device;
import dev.gatun.engine.Dispatch;
import dev.gatun.engine.Key;
import dev.gatun.engine.Scope;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;
import dev.gatun.layers.Fit;
import dev.gatun.layers.MismatchException;
import dev.gatun.layers.io.Safetensors;
import dev.gatun.layers.optim.GradientClip;
import dev.gatun.layers.optim.Optimizer;
import dev.gatun.layers.optim.Schedule;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Trains a language model, one step a call:
 *
 * {@snippet :
 * Trainer trainer = new Trainer(model, new AdamW(model.params(), AdamW.Settings.DEFAULT),
 *         Schedule.cosine(1e-3, 1e-4, 100, 2000), new TextWindows(text, 8, 256), Key.of(42), 1);
 * while (trainer.steps() < 2000) {
 *     System.out.println(trainer.step().loss());
 * }
 * }
 *
 * A step depends on the parameters, the optimiser's state, the key and two counters, and a checkpoint
 * holds them all: a run that is resumed gives the same bits as one that never stopped.
 */
public final class Trainer {

    /** Token ids {@code [B, T]} and what comes after each, -100 where nothing is asked. */
    public record Batch(Tensor ids, Tensor targets) {

        /** Windows of bytes, all of {@code T + 1}: each is read up to its last byte, and asked for what comes a byte later. */
        public static Batch of(byte[]... windows) {
            int time = windows[0].length - 1;
            long[] ids = new long[windows.length * time];
            long[] targets = new long[ids.length];
            for (int b = 0; b < windows.length; b++) {
                for (int t = 0; t < time; t++) {
                    ids[b * time + t] = windows[b][t] & 0xFF;
                    targets[b * time + t] = windows[b][t + 1] & 0xFF;
                }
            }
            Shape shape = Shape.of(windows.length, time);
            return new Batch(Tensor.of(shape, ids), Tensor.of(shape, targets));
        }
    }

    /** Where batches come from. */
    @FunctionalInterface
    public interface Batches {

        /** The batch with this number: the same for the same key and number, whatever was asked before. */
        Batch batch(Key key, long index);
    }

    /**
     * What a step did.
     *
     * @param step number of the step; the first is 0
     * @param loss mean cross-entropy in nats, before the step
     * @param gradientNorm norm of all gradients, before clipping
     * @param rate learning rate
     * @param tokens tokens the batch had
     * @param seconds how long it took
     */
    public record Metrics(long step, double loss, double gradientNorm, double rate, long tokens, double seconds) {

        /** Speed of this step. */
        public double tokensPerSecond() {
            return tokens / seconds;
        }
    }

    private static final String STEP = "trainer.step";
    private static final String POSITION = "trainer.position";
    private static final String KEY = "trainer.key";
    private static final String OPTIMIZER = "optimizer.";

    private final LanguageModel model;
    private final Optimizer optimizer;
    private final Schedule schedule;
    private final Batches batches;
    private final double maxNorm;
    private Key key;
    private long step;
    private long position;

    /** For a model and an optimiser of its parameters; gradients are clipped to a norm of {@code maxNorm}. */
    public Trainer(LanguageModel model, Optimizer optimizer, Schedule schedule, Batches batches, Key key, double maxNorm) {
        this.model = model;
        this.optimizer = optimizer;
        this.schedule = schedule;
        this.batches = batches;
        this.key = key;
        this.maxNorm = maxNorm;
    }

    /** How many steps were made. */
    public long steps() {
        return step;
    }

    /** The model that is trained. */
    public LanguageModel model() {
        return model;
    }

    /** One step at the rate of the schedule. */
    public Metrics step() {
        return step(schedule.rate(step));
    }

    /**
     * One step at a rate of the caller's. What it makes on the way is handed back before it returns.
     *
     * @throws ArithmeticException when the loss or a gradient is not finite; nothing was changed then
     */
    public Metrics step(double rate) {
        long start = System.nanoTime();
        Device device = model.params().device();
        try (Scope scope = Scope.open("step " + step, device)) {
            Batch batch = batches.batch(key.child("batches"), position);
            Tensor loss = model.loss(batch.ids.to(device), batch.targets.to(device));
            GradientClip.Clipped clipped = GradientClip.clip(grad(loss, model.params().values()), maxNorm);
            if (!Double.isFinite(loss.item()) || !Double.isFinite(clipped.norm())) {
                throw new ArithmeticException("trainer: step " + step + " has a loss of " + loss.item()
                        + " and a gradient of norm " + clipped.norm() + "; nothing was changed");
            }
            optimizer.step(clipped.gradients(), rate);
            long tokens = batch.ids.shape().elements();
            Metrics metrics = new Metrics(step, loss.item(), clipped.norm(), rate, tokens, (System.nanoTime() - start) * 1e-9);
            step++;
            position++;
            return metrics;
        }
    }

    /** Writes everything the next step depends on; {@link LanguageModel#read} reads the model of such a file. */
    public void checkpoint(Path path) throws IOException {
        Map<String, Tensor> tensors = new LinkedHashMap<>(model.named());
        optimizer.state().forEach((name, tensor) -> tensors.put(OPTIMIZER + name, tensor));
        Map<String, String> metadata = new LinkedHashMap<>(model.config().toMetadata());
        metadata.put(STEP, Long.toString(step));
        metadata.put(POSITION, Long.toString(position));
        metadata.put(KEY, Long.toString(key.bits()));
        Safetensors.write(path, tensors, metadata);
    }

    /**
     * Goes on where a checkpoint was written, with its key.
     *
     * @throws MismatchException when it is of another model or optimiser, with all that differs; nothing was changed then
     */
    public void resume(Path path) throws IOException {
        try (Safetensors file = Safetensors.open(path)) {
            Map<String, Tensor> mine = new LinkedHashMap<>(model.named());
            optimizer.state().forEach((name, tensor) -> mine.put(OPTIMIZER + name, tensor));
            Map<String, Spec> wanted = new LinkedHashMap<>();
            mine.forEach((name, tensor) -> wanted.put(name, tensor.spec()));
            Fit.check("trainer: " + path + " does not fit", wanted, file.specs());
            LanguageModel.Config config = LanguageModel.Config.of(file.metadata());
            List<String> differences = Records.differences(config, model.config());
            if (!differences.isEmpty()) {
                throw new MismatchException("trainer: the configurations of " + path + " and of the model differ\n  "
                        + String.join("\n  ", differences));
            }
            long steps = number(file, STEP);
            long read = number(file, POSITION);
            long bits = number(file, KEY);
            mine.forEach((name, tensor) -> Dispatch.overwrite(file.tensor(name).to(tensor.dtype()).to(tensor.device()), tensor));
            step = steps;
            position = read;
            key = new Key(bits);
        }
    }

    private static long number(Safetensors file, String name) {
        String text = file.metadata().get(name);
        try {
            return Long.parseLong(text);
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException("trainer: " + name + " is " + (text == null ? "missing" : "\"" + text + "\"")
                    + " in " + file.path(), e);
        }
    }
}
