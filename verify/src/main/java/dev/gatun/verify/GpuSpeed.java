package dev.gatun.verify;

import static dev.gatun.autograd.Autograd.grad;
import static dev.gatun.ops.Random.normal;
import static dev.gatun.ops.Softmax.softmax;
import static dev.gatun.ops.sequence.Attention.attention;

import dev.gatun.bindings.cuda.CudaEvent;
import dev.gatun.engine.DType;
import dev.gatun.engine.Device;
import dev.gatun.engine.Key;
import dev.gatun.engine.Scope;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import dev.gatun.engine.cuda.Gpu;
import dev.gatun.ops.sequence.Attention;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;

/** What a GPU does in a second, by its own clock: the median of several runs on random numbers. */
final class GpuSpeed {

    private static final int RUNS = 9;
    private static final Key KEY = Key.of(5);

    private final Device device;
    private final Gpu gpu;
    private final Consumer<String> out;

    GpuSpeed(Device device, Gpu gpu, Consumer<String> out) {
        this.device = device;
        this.gpu = gpu;
        this.out = out;
    }

    void run() {
        out.accept("");
        out.accept("speed, medians of " + RUNS + " runs");
        copies();
        memoryBound();
        for (long n : new long[] {512, 1024, 2048, 4096, 8192}) {
            product(n);
        }
        for (long time : new long[] {1024, 4096}) {
            for (long width : new long[] {32, 64, 128}) {
                attentionRate(time, width);
            }
        }
        launches();
    }

    private void say(String format, Object... arguments) {
        out.accept("  " + String.format(Locale.ROOT, format, arguments));
    }

    /** Milliseconds of the device for work that is queued, the median. */
    private double millis(Runnable work) {
        double[] times = new double[RUNS];
        try (CudaEvent start = gpu.context().event(); CudaEvent end = gpu.context().event()) {
            for (int i = -2; i < RUNS; i++) {
                try (Scope scope = Scope.open("timed", device)) {
                    gpu.stream().record(start);
                    work.run();
                    gpu.stream().record(end);
                    end.synchronize();
                }
                if (i >= 0) {
                    times[i] = end.since(start);
                }
            }
        }
        Arrays.sort(times);
        return times[RUNS / 2];
    }

    private Tensor random(String name, long... dims) {
        try (Scope.Stay _ = Scope.at(device)) {
            return normal(KEY.child(name), DType.F32, Shape.of(dims));
        }
    }

    private void copies() {
        long bytes = 256L << 20;
        try (Scope scope = Scope.open("copies", device)) {
            Tensor there = random("copy", bytes / 4);
            Tensor here = there.to(Device.cpu());
            say("to the device     %6.1f GB/s, through pinned blocks", 1e-6 * bytes / wall(() -> here.to(device)));
            say("from the device   %6.1f GB/s", 1e-6 * bytes / wall(() -> there.to(Device.cpu())));
            long from = gpu.context().allocate(bytes);
            long to = gpu.context().allocate(bytes);
            gpu.stream().fill(from, 0x3F9E0652, bytes / 4);
            say("within the device %6.0f GB/s, read and written", 2e-6 * bytes / millis(() -> gpu.stream().copy(to, from, bytes)));
            gpu.context().free(from);
            gpu.context().free(to);
        }
    }

    /** Milliseconds by the host's clock, until the device is done. */
    private double wall(Runnable work) {
        double[] times = new double[RUNS];
        for (int i = -2; i < RUNS; i++) {
            try (Scope scope = Scope.open("timed")) {
                gpu.synchronize();
                long start = System.nanoTime();
                work.run();
                gpu.synchronize();
                if (i >= 0) {
                    times[i] = (System.nanoTime() - start) * 1e-6;
                }
            }
        }
        Arrays.sort(times);
        return times[RUNS / 2];
    }

    private void memoryBound() {
        long n = 64L << 20;
        try (Scope scope = Scope.open("memory bound", device)) {
            Tensor a = random("a", n);
            Tensor b = random("b", n);
            say("a + b             %6.0f GB/s", 12e-6 * n / millis(() -> a.add(b)));
            say("exp               %6.0f GB/s", 8e-6 * n / millis(a::exp));
            say("sum               %6.0f GB/s", 4e-6 * n / millis(a::sum));
            Tensor rows = a.reshape(n / 1024, 1024);
            say("softmax of 1024   %6.0f GB/s", 8e-6 * n / millis(() -> softmax(rows, -1)));
            say("sum of columns    %6.0f GB/s", 4e-6 * n / millis(() -> rows.sum(0)));
        }
    }

    private void product(long n) {
        try (Scope scope = Scope.open("product", device)) {
            Tensor a = random("a", n, n);
            Tensor b = random("b", n, n);
            double operations = 2e-9 * n * n * n;
            say("product of %4d   %6.2f TFLOP/s f32, a transposed %6.2f, b transposed %6.2f", n, operations / millis(() -> a.matmul(b)),
                    operations / millis(() -> a.transpose().matmul(b)), operations / millis(() -> a.matmul(b.transpose())));
        }
    }

    private void attentionRate(long time, long width) {
        try (Scope scope = Scope.open("attention", device)) {
            long heads = 2048 / width;
            Tensor q = random("q", 2, heads, time, width).track();
            Tensor k = random("k", 2, heads, time, width).track();
            Tensor v = random("v", 2, heads, time, width).track();
            Tensor g = random("g", 2, heads, time, width);
            double pairs = 2.0 * heads * time * time / 2;
            double forward = millis(() -> attention(q.detach(), k.detach(), v.detach(), Attention.CAUSAL));
            double both = millis(() -> grad(List.of(attention(q, k, v, Attention.CAUSAL).o()), List.of(g), List.of(q, k, v)));
            say("causal attention, T %4d, heads of %3d   forward %6.2f TFLOP/s, backward %6.2f", time, width,
                    4e-9 * pairs * width / forward, 10e-9 * pairs * width / (both - forward));
        }
    }

    private void launches() {
        try (Scope scope = Scope.open("launches", device)) {
            Tensor a = random("a", 256);
            int count = 20_000;
            for (int round = 0; round < 3; round++) {
                try (Scope inner = Scope.open("round", device)) {
                    gpu.synchronize();
                    long start = System.nanoTime();
                    for (int i = 0; i < count; i++) {
                        try (Scope one = Scope.open("one", device)) {
                            a.add(1.0);
                        }
                    }
                    gpu.synchronize();
                    if (round == 2) {
                        say("small ops         %6.2f microseconds each", (System.nanoTime() - start) * 1e-3 / count);
                    }
                }
            }
        }
    }
}
