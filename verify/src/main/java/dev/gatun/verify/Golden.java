package dev.gatun.verify;

import dev.gatun.autograd.Autograd;
import dev.gatun.engine.Backend;
import dev.gatun.engine.DType;
import dev.gatun.engine.Scope;
import dev.gatun.engine.Tensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.Stream;

/**
 * Runs golden vectors: files that hold the inputs of one case of a layer or an op, and the outputs,
 * final states and gradients that are right. Every file below a folder is run through what its
 * metadata names, and every stored result is compared.
 *
 * {@snippet :
 * Golden.Report report = Golden.run(Path.of("golden"), DType.F64, System.out::println);
 * System.out.println(report);              // 61 passed, 0 failed
 * }
 *
 * <p>With m the largest stored number of a tensor, an element may be off by
 * {@code max(1e-9 m, 1e-12)} in F64 and by {@code max(rtol m, 1e-7)} in F32, where the file says
 * rtol for outputs and for gradients, and larger bounds for tensors that are small differences of
 * large terms. Infinities are equal or wrong. A stored result that the case does not give, and a
 * case that nobody here knows, count as failed.
 */
public final class Golden {

    /** Runs the cases of one layer: outputs by the names they have in the file. */
    interface Runner {
        Map<String, Tensor> run(GoldenCase c) throws IOException;
    }

    /** Layers by the names that files have for them. */
    private static final Map<String, Runner> RUNNERS = Map.ofEntries(
            Map.entry("ops", GoldenOps::run),
            Map.entry("attention", GoldenAttention::run),
            Map.entry("deltanet", GoldenDeltaNet::run),
            Map.entry("gated_deltanet", GoldenDeltaNet::run),
            Map.entry("mamba", GoldenMamba::run),
            Map.entry("slstm", GoldenSLstm::run),
            Map.entry("linear_attention", GoldenLinear::attention),
            Map.entry("retention", GoldenLinear::retention),
            Map.entry("gla", GoldenLinear::gated),
            Map.entry("mamba2", GoldenMamba2::run),
            Map.entry("mlstm", GoldenMLstm::run),
            Map.entry("titans", GoldenTitans::run),
            Map.entry("atlas", GoldenAtlas::run),
            Map.entry("tiny_lm", GoldenModels::run));

    private static final Set<String> STATES = Set.of("state", "k_cache", "v_cache", "exp_avg", "exp_avg_sq", "momentum",
            "conv_state", "S", "z", "C", "n", "m");

    private Golden() {}

    /**
     * What became of one file: the largest relative error of its outputs, final states and gradients,
     * NaN where it has none, and what is wrong, or the empty string.
     */
    public record Result(String name, double outputs, double states, double gradients, String problem) {

        /** Whether everything in the file was met. */
        public boolean passed() {
            return problem.isEmpty();
        }

        @Override
        public String toString() {
            return String.format(Locale.ROOT, "%-52s outputs %s  states %s  gradients %s  %s", name, error(outputs), error(states),
                    error(gradients), passed() ? "passed" : "FAILED: " + problem);
        }

        private static String error(double x) {
            return Double.isNaN(x) ? "   -   " : String.format(Locale.ROOT, "%.1e", x);
        }
    }

    /** What became of all files. Prints as {@code N passed, N failed}. */
    public record Report(List<Result> results) {

        /** How many files were met. */
        public long passed() {
            return results.stream().filter(Result::passed).count();
        }

        /** How many were not. */
        public long failed() {
            return results.size() - passed();
        }

        @Override
        public String toString() {
            return passed() + " passed, " + failed() + " failed";
        }
    }

    /**
     * Runs every {@code .safetensors} file below a folder, in the order of their paths.
     *
     * @param dtype F64, or F32 with stored numbers rounded first
     * @param each is shown each result as it comes
     * @param on the backend to compute on, helped by the reference where it has no kernel; all of them when none is named
     * @throws IOException when the folder cannot be read, or holds no such file
     */
    public static Report run(Path folder, DType dtype, Consumer<Result> each, Backend... on) throws IOException {
        if (dtype != DType.F64 && dtype != DType.F32) {
            throw new IllegalArgumentException("golden: vectors are compared in f64 or f32, not " + dtype);
        }
        List<Path> files;
        try (Stream<Path> walk = Files.walk(folder)) {
            files = walk.filter(path -> path.toString().endsWith(".safetensors")).sorted().toList();
        }
        if (files.isEmpty()) {
            throw new IOException("golden: no .safetensors file below " + folder);
        }
        List<Result> results = new ArrayList<>();
        for (Path file : files) {
            String name = folder.relativize(file).toString();
            Result result = narrowed(on, () -> result(name.isEmpty() ? file.getFileName().toString() : name, file, dtype));
            each.accept(result);
            results.add(result);
        }
        return new Report(List.copyOf(results));
    }

    private static Result narrowed(Backend[] on, java.util.function.Supplier<Result> run) {
        if (on.length == 0) {
            return run.get();
        }
        Backend[] more = new Backend[on.length];
        System.arraycopy(on, 1, more, 0, on.length - 1);
        more[on.length - 1] = Backend.REFERENCE;
        try (Backend.Narrowed only = Backend.only(on[0], more)) {
            return run.get();
        }
    }

    private static Result result(String name, Path file, DType dtype) {
        try (Scope scope = Scope.open("golden " + name); GoldenCase c = GoldenCase.open(file, dtype)) {
            Runner runner = RUNNERS.get(c.layer());
            if (runner == null) {
                return failed(name, "unknown layer \"" + c.layer() + "\"");
            }
            return compare(name, c, results(c, runner.run(c)));
        } catch (IOException | RuntimeException e) {
            return failed(name, e instanceof GoldenCase.Unknown || e instanceof IOException ? e.getMessage() : e.toString());
        }
    }

    private static Result failed(String name, String problem) {
        return new Result(name, Double.NaN, Double.NaN, Double.NaN, problem);
    }

    /** Outputs and the gradients of the loss they make with the stored cotangents, by their names in the file. */
    private static Map<String, Tensor> results(GoldenCase c, Map<String, Tensor> outputs) {
        Map<String, Tensor> results = new LinkedHashMap<>();
        List<Tensor> ys = new ArrayList<>();
        List<Tensor> gs = new ArrayList<>();
        double loss = 0;
        for (Map.Entry<String, Tensor> output : outputs.entrySet()) {
            Tensor y = output.getValue();
            results.put("out." + output.getKey(), y);
            String cotangent = "cot." + output.getKey();
            if (c.has(cotangent)) {
                Tensor g = c.stored(cotangent).to(y.dtype()).reshape(y.shape());
                ys.add(y);
                gs.add(g);
                loss += y.detach().mul(g).sum().item();
            }
        }
        results.put("out.loss", Tensor.of(DType.F64, loss));
        List<String> names = c.names().stream().filter(name -> name.startsWith("grad.")).toList();
        List<Tensor> leaves = new ArrayList<>();
        for (String name : names) {
            leaves.add(c.leaf(name.substring("grad.".length())));
        }
        List<Tensor> gradients = Autograd.grad(ys, gs, leaves);
        for (int i = 0; i < names.size(); i++) {
            results.put(names.get(i), gradients.get(i));
        }
        return results;
    }

    private static Result compare(String name, GoldenCase c, Map<String, Tensor> results) {
        double[] worst = {Double.NaN, Double.NaN, Double.NaN};
        List<String> problems = new ArrayList<>();
        for (String stored : c.names()) {
            boolean gradient = stored.startsWith("grad.");
            if (!gradient && !stored.startsWith("out.") || stored.equals("out.loss") && c.dtype() != DType.F64) {
                continue;
            }
            Tensor found = results.get(stored);
            if (found == null) {
                problems.add(stored + " was not computed");
                continue;
            }
            Comparison comparison = Comparison.of(c.stored(stored).toDoubles(), found.toDoubles(), c.bound(stored));
            if (!comparison.problem.isEmpty()) {
                problems.add(stored + " " + comparison.problem);
            }
            int kind = gradient ? 2 : isState(stored) ? 1 : 0;
            worst[kind] = Double.isNaN(worst[kind]) ? comparison.relative : Math.max(worst[kind], comparison.relative);
        }
        return new Result(name, worst[0], worst[1], worst[2], String.join("; ", problems));
    }

    private static boolean isState(String stored) {
        String name = stored.substring("out.".length());
        return STATES.contains(name) || name.startsWith("W.") || name.startsWith("S.") || name.startsWith("final.");
    }

    /** How far numbers are from those stored, relative to the largest of them, and what is wrong with that. */
    private record Comparison(double relative, String problem) {

        static Comparison of(double[] stored, double[] found, GoldenCase.Bound bound) {
            if (stored.length != found.length) {
                return new Comparison(Double.POSITIVE_INFINITY, "has " + found.length + " elements instead of " + stored.length);
            }
            double largest = 0;
            double error = 0;
            int at = 0;
            for (int i = 0; i < stored.length; i++) {
                double difference = stored[i] == found[i] ? 0 : Math.abs(stored[i] - found[i]);
                if (!Double.isFinite(stored[i]) && difference != 0 || Double.isNaN(difference)) {
                    return new Comparison(Double.POSITIVE_INFINITY, "is " + found[i] + " at " + i + " instead of " + stored[i]);
                }
                largest = Double.isFinite(stored[i]) ? Math.max(largest, Math.abs(stored[i])) : largest;
                if (difference > error) {
                    error = difference;
                    at = i;
                }
            }
            double allowed = bound.of(largest);
            String problem = error <= allowed ? "" : String.format(Locale.ROOT, "is %s at %d instead of %s, off by %.2e where %.2e is allowed",
                    found[at], at, stored[at], error, allowed);
            return new Comparison(largest == 0 ? error : error / largest, problem);
        }
    }
}
