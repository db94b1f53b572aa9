package dev.gatun.bench;

import dev.gatun.engine.DType;
import dev.gatun.engine.Scope;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Looks for products that never get fast. Starts fresh JVMs as an embedding user would, without compiler flags, each
 * multiplying 512 by 512 matrices for some seconds, and prints when each reached 80 % of the best rate of all.
 *
 * <p>Arguments: number of JVMs (20) and seconds for each (10). Exits with 1 when one did not get there.
 */
public final class StuckCheck {

    private static final int SIZE = 512;
    private static final double FLOPS = 2.0 * SIZE * SIZE * SIZE;
    private static final double SHARE = 0.8;

    private StuckCheck() {}

    /** The fastest rate by a time after the JVM's start. */
    private record Sample(double seconds, double gigaflops) {}

    public static void main(String[] args) throws IOException, InterruptedException {
        if (args.length > 1 && args[0].equals("child")) {
            multiply(Double.parseDouble(args[1]));
            return;
        }
        int jvms = args.length > 0 ? Integer.parseInt(args[0]) : 20;
        String seconds = args.length > 1 ? args[1] : "10";
        List<List<Sample>> runs = new ArrayList<>();
        for (int i = 0; i < jvms; i++) {
            runs.add(run(seconds));
        }
        double best = runs.stream().flatMap(List::stream).mapToDouble(Sample::gigaflops).max().orElseThrow();
        int stuck = 0;
        for (int i = 0; i < jvms; i++) {
            List<Sample> run = runs.get(i);
            Sample there = run.stream().filter(s -> s.gigaflops >= SHARE * best).findFirst().orElse(null);
            stuck += there == null ? 1 : 0;
            System.out.printf(
                    Locale.ROOT, "jvm %2d: %s, at most %.0f GFLOP/s%n", i + 1,
                    there == null ? "never" : String.format(Locale.ROOT, "%.2f s", there.seconds), run.getLast().gigaflops);
        }
        System.out.printf(
                Locale.ROOT, "%d of %d reached %.0f %% of %.0f GFLOP/s within %s s%n",
                jvms - stuck, jvms, 100 * SHARE, best, seconds);
        System.exit(stuck == 0 ? 0 : 1);
    }

    private static List<Sample> run(String seconds) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--add-modules", "jdk.incubator.vector", "-cp", classPath(), StuckCheck.class.getName(), "child", seconds)
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        List<Sample> samples = new ArrayList<>();
        try (var lines = process.inputReader()) {
            lines.lines().forEach(line -> {
                String[] words = line.split(" ");
                samples.add(new Sample(Double.parseDouble(words[0]), Double.parseDouble(words[1])));
            });
        }
        if (process.waitFor() != 0 || samples.isEmpty()) {
            throw new IllegalStateException("stuck check: a JVM failed with " + process.exitValue());
        }
        return samples;
    }

    private static String classPath() {
        String modules = System.getProperty("jdk.module.path", "");
        return modules.isEmpty() ? System.getProperty("java.class.path") : modules;
    }

    private static void multiply(double seconds) {
        long start = ProcessHandle.current().info().startInstant().orElseThrow().toEpochMilli();
        Tensor a = Tensor.full(DType.F32, Shape.of(SIZE, SIZE), 0.5);
        Tensor b = Tensor.full(DType.F32, Shape.of(SIZE, SIZE), 0.25);
        double best = 0;
        double now = 0;
        while (now < seconds) {
            long before = System.nanoTime();
            try (Scope scope = Scope.open("product")) {
                a.matmul(b);
            }
            double gigaflops = FLOPS / (System.nanoTime() - before);
            now = (System.currentTimeMillis() - start) * 1e-3;
            if (gigaflops > best) {
                best = gigaflops;
                System.out.println(now + " " + best);
            }
        }
    }
}
