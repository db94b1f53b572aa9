package dev.gatun.verify;

import static dev.gatun.autograd.Autograd.grad;
import static dev.gatun.ops.Embedding.embedding;

import dev.gatun.autograd.Autograd;
import dev.gatun.bindings.cuda.CudaDriver;
import dev.gatun.engine.DType;
import dev.gatun.engine.Device;
import dev.gatun.engine.DeviceException;
import dev.gatun.engine.Key;
import dev.gatun.engine.Op;
import dev.gatun.engine.Sample;
import dev.gatun.engine.Scope;
import dev.gatun.engine.ScopeException;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;
import dev.gatun.engine.ViewOp;
import dev.gatun.engine.cuda.Gpu;
import dev.gatun.engine.memory.MemoryException;
import dev.gatun.layers.Linear;
import dev.gatun.layers.Params;
import dev.gatun.layers.model.LanguageModel;
import dev.gatun.layers.model.TextWindows;
import dev.gatun.layers.model.Trainer;
import dev.gatun.layers.optim.AdamW;
import dev.gatun.layers.optim.Schedule;
import dev.gatun.ops.sequence.Attention;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Consumer;

/**
 * Runs the engine on a GPU of this machine and compares with the CPU: every sample of every op against the reference in
 * double, in several layouts; gradients; a small model's training, loss by loss. Then it measures. What it prints is the
 * report of that device, and nothing else says that a device works.
 */
public final class GpuSelfTest {

    private static final Key KEY = Key.of(11);

    /** Gradients go through several ops, each with its own rounding: relative to their size they may differ so much. */
    private static final double GRADIENTS = 1e-4;

    /** How far the losses of the same training may be apart on two devices: rounding grows from step to step. */
    private static final double LOSSES = 2e-3;

    private static final int STEPS = 40;

    private final Device device;
    private final Gpu gpu;
    private final Consumer<String> out;
    private int failures;

    private GpuSelfTest(Device device, Consumer<String> out) {
        this.device = device;
        this.gpu = Gpu.of(device);
        this.out = out;
    }

    /**
     * Tests a GPU and prints the report, line by line.
     *
     * @return how many comparisons failed
     * @throws DeviceException when there is no such GPU
     */
    public static int run(Device device, Consumer<String> out) {
        return new GpuSelfTest(device, out).run();
    }

    private int run() {
        about();
        samples(DType.F32);
        samples(DType.F64);
        gradients();
        refusals();
        training();
        modules();
        if (gpu.info().emulated()) {
            say("");
            say("speed is not measured: the device is emulated");
        } else {
            new GpuSpeed(device, gpu, out).run();
        }
        say("");
        say(failures == 0 ? "result: everything agrees" : "result: " + failures + " comparisons failed");
        return failures;
    }

    private void say(String format, Object... arguments) {
        out.accept(arguments.length == 0 ? format : String.format(Locale.ROOT, format, arguments));
    }

    private void about() {
        CudaDriver.Info info = gpu.info();
        CudaDriver.Present driver = (CudaDriver.Present) CudaDriver.probe();
        say("device      %s, compute capability %d.%d, %d multiprocessors, %.1f GiB", info.name(), info.major(), info.minor(),
                info.multiprocessors(), info.bytes() / 0x1p30);
        say("driver      CUDA %s", CudaDriver.text(driver.version()));
        say("kernels     tier sm_%d", gpu.tier());
        say("java        %s, %s %s", Runtime.version(), System.getProperty("os.name"), System.getProperty("os.arch"));
        say("emulated    %s", gpu.info().emulated() ? "yes: this says nothing of a real device" : "no");
    }

    // ---- every op ----

    private static Catalogue catalogue() {
        return Catalogue.of(Op.class, Autograd.class, Attention.class, Linear.class);
    }

    /** The worst comparison of an op's samples, and how many there were. */
    private static final class Tally {
        private int count;
        private Parity.Result worst;

        void add(Parity.Result result) {
            count++;
            worst = worst == null || result.share() > worst.share() ? result : worst;
        }
    }

    /** A view's strides may not say every layout. */
    private static List<Layout> layouts(Sample sample) {
        return sample.op() instanceof ViewOp ? List.of(Layout.CONTIGUOUS) : List.of(Layout.values());
    }

    private void samples(DType dtype) {
        say("");
        say("ops in %s against the reference in double: comparisons, largest error, share of what is allowed", dtype);
        Map<String, Tally> tallies = new TreeMap<>();
        Map<String, String> without = new TreeMap<>();
        for (Sample sample : catalogue().samples()) {
            String name = sample.op().getClass().getName().replaceAll(".*\\.", "").replace('$', '.');
            for (Layout layout : layouts(sample)) {
                try (Scope scope = Scope.open("sample", device)) {
                    Parity parity;
                    try (Scope.Stay _ = Scope.at(Device.cpu())) {
                        List<Tensor> inputs = layout.of(Samples.tensors(sample, dtype, KEY));
                        parity = Parity.of(sample.op(), inputs.stream().map(Tensor::contiguous).toList(), sample.slack());
                    }
                    List<Tensor> given = layout.of(Samples.tensors(sample, dtype, KEY).stream().map(x -> x.to(device)).toList());
                    Parity.Result result = parity.compare(device.toString(), sample.op().applyAll(given.toArray(Tensor[]::new)));
                    tallies.computeIfAbsent(name, n -> new Tally()).add(result);
                    if (!result.ok()) {
                        failures++;
                        say("WRONG %s %s: %s", sample, layout, result);
                    }
                } catch (DeviceException e) {
                    without.put(name, e.getMessage().lines().findFirst().orElse(""));
                } catch (RuntimeException e) {
                    failures++;
                    say("WRONG %s %s: %s", sample, layout, e);
                }
            }
        }
        tallies.forEach((name, tally) -> say("  %-38s %3d  %.2e  %.3f%s", name, tally.count, tally.worst.error(), tally.worst.share(),
                tally.worst.share() > 1 ? "  WRONG" : ""));
        without.forEach((name, why) -> say("  %-38s none: %s", name, why));
    }

    // ---- gradients ----

    private void gradients() {
        say("");
        say("gradients in f32 against the CPU's, largest ||device - cpu|| / ||cpu||");
        Map<String, Double> worst = new TreeMap<>();
        TreeSet<String> without = new TreeSet<>();
        for (Sample sample : catalogue().samples()) {
            String name = sample.op().getClass().getName().replaceAll(".*\\.", "").replace('$', '.');
            try (Scope scope = Scope.open("sample")) {
                List<Tensor> here = slopes(sample, Device.cpu());
                List<Tensor> there = slopes(sample, device);
                for (int i = 0; i < here.size(); i++) {
                    double error = distance(there.get(i).toDoubles(), here.get(i).toDoubles());
                    worst.merge(name, error, Math::max);
                    if (!(error <= GRADIENTS)) {
                        failures++;
                        say("WRONG %s: gradient of input %d is off by %.2e", sample, i, error);
                    }
                }
            } catch (DeviceException e) {
                without.add(name);
            } catch (RuntimeException e) {
                failures++;
                say("WRONG %s: %s", sample, e);
            }
        }
        worst.forEach((name, error) -> say("  %-38s %.2e", name, error));
        say("  none: " + String.join(", ", without));
    }

    private static List<Tensor> slopes(Sample sample, Device on) {
        try (Scope.Stay _ = Scope.at(on)) {
            List<Tensor> leaves = new ArrayList<>();
            List<Tensor> inputs = new ArrayList<>();
            for (Tensor x : Samples.tensors(sample, DType.F32, KEY)) {
                Tensor leaf = x.dtype().isFloat() ? x.to(on).track() : x.to(on);
                inputs.add(leaf);
                if (leaf.tracked()) {
                    leaves.add(leaf);
                }
            }
            List<Tensor> ys = new ArrayList<>();
            List<Tensor> gs = new ArrayList<>();
            for (Tensor y : sample.op().applyAll(inputs.toArray(Tensor[]::new))) {
                if (y.tracked()) {
                    ys.add(y);
                    gs.add(weights(y.spec(), KEY.child(ys.size()), on));
                }
            }
            return ys.isEmpty() || leaves.isEmpty() ? List.of() : grad(ys, gs, leaves);
        }
    }

    private static Tensor weights(Spec spec, Key key, Device on) {
        return Tensor.of(spec.dtype(), spec.shape(), Samples.uniform(key, Math.toIntExact(spec.shape().elements()), -1, 1)).to(on);
    }

    private static double distance(double[] a, double[] b) {
        double difference = 0;
        double size = 0;
        for (int i = 0; i < a.length; i++) {
            // Where both are infinite or both are no number there is nothing to compare.
            if (Double.compare(a[i], b[i]) != 0) {
                difference += (a[i] - b[i]) * (a[i] - b[i]);
                size += b[i] * b[i];
            }
        }
        return difference == 0 ? 0 : Math.sqrt(difference) / Math.max(Math.sqrt(size), 1e-6);
    }

    // ---- what is refused, and in which words ----

    private void refusals() {
        say("");
        say("what is refused");
        refused("the CPU and a GPU in one op", DeviceException.class, () -> Tensor.of(DType.F32, 1).add(Tensor.of(DType.F32, 2).to(device)));
        refused("an id that the table has not", IndexOutOfBoundsException.class, () ->
                embedding(Tensor.of(DType.F32, Shape.of(2, 2), 1, 2, 3, 4).to(device), Tensor.of(Shape.of(1), 7L).to(device)).toDoubles());
        refused("more memory than there is", MemoryException.class, () -> {
            try (Scope scope = Scope.open("too much", device)) {
                Tensor some = Tensor.zeros(DType.F32, Shape.of(1 << 20));
                Tensor.zeros(DType.F32, Shape.of(gpu.info().bytes() / 4, 2)).add(some);
            }
        });
        refused("a tensor whose scope is closed", ScopeException.class, () -> {
            Tensor kept;
            try (Scope scope = Scope.open("closed", device)) {
                kept = Tensor.zeros(DType.F32, Shape.of(3));
            }
            kept.toDoubles();
        });
        double after = Tensor.of(DType.F32, 2).to(device).add(3).item();
        if (after != 5) {
            failures++;
            say("WRONG after refusals 2 + 3 is %f", after);
        }
    }

    private void refused(String what, Class<? extends RuntimeException> with, Runnable work) {
        try {
            work.run();
            failures++;
            say("WRONG %s is not refused", what);
        } catch (RuntimeException e) {
            say("  %s: %s", what, e.getMessage().replace("\n", "\n      "));
            if (e.getClass() != with) {
                failures++;
                say("WRONG it is a %s, not a %s", e.getClass().getName(), with.getName());
            }
        }
    }

    // ---- training ----

    private void training() {
        say("");
        say("a model of width 64 and depth 2, %d steps on both devices", STEPS);
        List<Double> here = losses(Device.cpu());
        List<Double> there = losses(device);
        double worst = 0;
        for (int i = 0; i < here.size(); i++) {
            worst = Math.max(worst, Math.abs(here.get(i) - there.get(i)));
        }
        say("  first loss %.6f and %.6f, last %.6f and %.6f, furthest apart %.2e, allowed %.0e", here.getFirst(), there.getFirst(),
                here.getLast(), there.getLast(), worst, LOSSES);
        if (!(worst <= LOSSES)) {
            failures++;
            say("WRONG the losses are too far apart");
        }
    }

    private static List<Double> losses(Device on) {
        byte[] text = new byte[20_000];
        for (int i = 0; i < text.length; i++) {
            text[i] = (byte) ('a' + (Key.of(3).word(i / 7) >>> 60) + i % 7);
        }
        LanguageModel model = new LanguageModel(Params.fresh(KEY.child("model"), DType.F32, on), LanguageModel.Config.of(256, 64, 2, 2));
        Trainer trainer = new Trainer(model, new AdamW(model.params(), AdamW.Settings.DEFAULT), Schedule.constant(3e-3),
                new TextWindows(text, 4, 64), KEY.child("training"), 1);
        List<Double> losses = new ArrayList<>();
        for (int i = 0; i < STEPS; i++) {
            losses.add(trainer.step().loss());
        }
        return losses;
    }

    private void modules() {
        say("");
        say("kernels that were loaded: tier, milliseconds, SHA-256");
        for (Gpu.Loaded loaded : gpu.loaded()) {
            say("  %-12s sm_%d  %7.1f  %s", loaded.name(), loaded.tier(), loaded.millis(), loaded.sha256());
        }
        say("  and %d elementwise kernels, written when first needed", gpu.written());
    }
}
