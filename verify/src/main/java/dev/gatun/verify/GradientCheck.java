package dev.gatun.verify;

import static dev.gatun.autograd.Autograd.differentiableGrad;
import static dev.gatun.autograd.Autograd.grad;

import dev.gatun.engine.DType;
import dev.gatun.engine.DTypeException;
import dev.gatun.engine.Key;
import dev.gatun.engine.Op;
import dev.gatun.engine.Scope;
import dev.gatun.engine.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import java.util.function.UnaryOperator;

/**
 * Compares gradients, to any order, with differences of values: for a function of tensors, an op,
 * or a layer with its parameters. Everything is F64.
 *
 * {@snippet :
 * GradientCheck.of(new Cube()).at(x).assertOk();
 * GradientCheck.of(x -> softmax(x, -1).log()).at(x).order(3).assertOk();
 * GradientCheck.of(layer::forward).with(params.values()).at(x).assertOk();
 * }
 *
 * <p>With outputs y and random weights c, {@code phi0 = <y, c>}. Order one compares
 * {@code <d phi0 / dx, d>}, for a random direction d in each input by itself, with the slope of
 * phi0 along d. Order two does the same with {@code phi1 = <d phi0 / dx, e>} in the place of phi0,
 * and so on; c then counts as an input, since a rule must have a gradient there, too. Lower orders
 * come from the plain sweep and the highest from the recorded one, so both are compared.
 *
 * <p>An error is relative to the size that such a product of gradient and direction usually has,
 * so that one that happens to be near zero is not asked for digits it cannot have; values that are
 * zero are found to be so within 1e-10 of the size of phi.
 */
public final class GradientCheck {

    /** What is usually asked: agreement to six digits. */
    public static final double TOLERANCE = 1e-6;

    private static final double VISIBLE = 1e-4;

    private final String name;
    private final List<String> arguments;
    private final Function<List<Tensor>, List<Tensor>> f;
    private final List<Tensor> inputs;
    private final List<Tensor> parameters;
    private final int order;
    private final double tolerance;
    private final long seed;

    private GradientCheck(String name, List<String> arguments, Function<List<Tensor>, List<Tensor>> f,
            List<Tensor> inputs, List<Tensor> parameters, int order, double tolerance, long seed) {
        this.name = name;
        this.arguments = arguments;
        this.f = f;
        this.inputs = inputs;
        this.parameters = parameters;
        this.order = order;
        this.tolerance = tolerance;
        this.seed = seed;
    }

    /** A check of a function of one tensor, such as a layer's {@code forward}. */
    public static GradientCheck of(UnaryOperator<Tensor> f) {
        return ofAll(in -> List.of(f.apply(in.getFirst()))).named("function", List.of("x"));
    }

    /** A check of a function of several tensors with several results. */
    public static GradientCheck ofAll(Function<List<Tensor>, List<Tensor>> f) {
        return new GradientCheck("function", List.of(), f, List.of(), List.of(), 2, TOLERANCE, 42);
    }

    /** A check of an op, all inputs and outputs of it. */
    public static GradientCheck of(Op op) {
        return ofAll(in -> op.applyAll(in.toArray(Tensor[]::new))).named(op.toString(), op.arguments());
    }

    /** This check with other names in its report. */
    public GradientCheck named(String name, List<String> arguments) {
        return new GradientCheck(name, arguments, f, inputs, parameters, order, tolerance, seed);
    }

    /** Where to check: the inputs, widened to F64; those that are no real numbers are passed as they are. */
    public GradientCheck at(Tensor... inputs) {
        return new GradientCheck(name, arguments, f, List.of(inputs), parameters, order, tolerance, seed);
    }

    /**
     * Leaves that the function reads without being given them, such as parameters: F64 and without
     * gaps. Their numbers are moved during the check and put back.
     */
    public GradientCheck with(List<Tensor> parameters) {
        for (Tensor p : parameters) {
            if (p.dtype() != DType.F64 || !p.isContiguous() || !p.tracked() || p.node() != null) {
                throw new DTypeException("gradient check: a parameter must be a contiguous f64 leaf\n  p: " + p.describe()
                        + (p.isContiguous() ? "" : ", strided") + (p.tracked() ? "" : ", not tracked")
                        + (p.node() == null ? "" : ", made by " + p.node().op()));
            }
        }
        return new GradientCheck(name, arguments, f, inputs, List.copyOf(parameters), order, tolerance, seed);
    }

    /** Checks orders 1 to this one; 2 unless said otherwise. */
    public GradientCheck order(int order) {
        return new GradientCheck(name, arguments, f, inputs, parameters, order, tolerance, seed);
    }

    /** Largest relative error that passes. */
    public GradientCheck tolerance(double tolerance) {
        return new GradientCheck(name, arguments, f, inputs, parameters, order, tolerance, seed);
    }

    /** Where the random weights and directions come from. */
    public GradientCheck seed(long seed) {
        return new GradientCheck(name, arguments, f, inputs, parameters, order, tolerance, seed);
    }

    /** One comparison: along one input, at one order. */
    public record Finding(int order, String input, double analytic, double numeric, double relativeError, boolean ok) {
        @Override
        public String toString() {
            return "order " + order + ", " + input + ": gradient gives " + analytic + ", differences " + numeric
                    + ", relative error " + String.format(Locale.ROOT, "%.2e", relativeError) + (ok ? "" : "  <-- wrong");
        }
    }

    /** All comparisons of a check; printed, it says everything. */
    public record Report(String name, List<Finding> findings, double tolerance, long seed) {

        /** Whether every comparison passed. */
        public boolean ok() {
            return findings.stream().allMatch(Finding::ok);
        }

        /** Largest relative error of all comparisons; NaN when one is. */
        public double worst() {
            return findings.stream().mapToDouble(Finding::relativeError).reduce(0, Math::max);
        }

        @Override
        public String toString() {
            StringBuilder text = new StringBuilder(name).append(ok() ? ": gradients agree" : ": gradients are wrong")
                    .append(String.format(Locale.ROOT, " (tolerance %.1e, seed %d)", tolerance, seed));
            findings.forEach(finding -> text.append("\n  ").append(finding));
            return text.toString();
        }
    }

    /**
     * Runs the check.
     *
     * @throws AssertionError with the whole report, when a gradient is wrong
     */
    public void assertOk() {
        Report report = report();
        if (!report.ok()) {
            throw new AssertionError(report.toString());
        }
    }

    /** Runs the check and reports, right or wrong. */
    public Report report() {
        try (Scope scope = Scope.open("gradient check")) {
            return new Run().report();
        }
    }

    /** A tensor that is moved: a leaf, what it was, and its name. */
    private record Variable(String name, Tensor leaf, double[] values) {
        void move(double by, double[] direction) {
            double[] moved = values.clone();
            for (int i = 0; i < moved.length && by != 0; i++) {
                moved[i] += by * direction[i];
            }
            MemorySegment.copy(moved, 0, leaf.segment(), ValueLayout.JAVA_DOUBLE, 0, moved.length);
        }
    }

    /** Sum of products, the usual size of such a sum, and its factors. */
    private record Level(double sum, double size, List<Tensor> terms) {}

    private final class Run {
        private final Key key = Key.of(seed);
        private final List<Tensor> arguments = new ArrayList<>();
        private final List<Variable> variables = new ArrayList<>();
        private final int given;

        Run() {
            for (int i = 0; i < inputs.size(); i++) {
                Tensor x = inputs.get(i).detach();
                if (x.dtype().isFloat()) {
                    // A copy of its own, so that nothing of the caller's is moved.
                    Tensor leaf = Tensor.of(DType.F64, x.shape(), x.toDoubles()).track();
                    variables.add(new Variable(argument(i), leaf, leaf.toDoubles()));
                    x = leaf;
                }
                arguments.add(x);
            }
            for (int i = 0; i < parameters.size(); i++) {
                Tensor p = parameters.get(i);
                variables.add(new Variable("parameter " + i + " " + p.spec(), p, p.toDoubles()));
            }
            given = variables.size();
            for (Tensor y : run()) {
                if (y.dtype() == DType.F64) {
                    Tensor c = Tensor.of(DType.F64, y.shape(), weights(y));
                    variables.add(new Variable("gradient of output " + (variables.size() - given), c.track(), c.toDoubles()));
                } else if (y.dtype().isFloat()) {
                    throw new DTypeException("gradient check: " + name + " gives " + y.dtype() + " for f64 inputs");
                }
            }
        }

        private String argument(int i) {
            List<String> names = GradientCheck.this.arguments;
            String word = inputs.size() == 1 && names.size() != 1 ? "x" : i < names.size() ? names.get(i) : "input " + i;
            return word + " " + inputs.get(i).spec().with(DType.F64);
        }

        /** Where an output is infinite by its meaning, its weight is zero. */
        private double[] weights(Tensor y) {
            double[] weights = random("weights", variables.size(), y.shape().elements());
            double[] values = y.toDoubles();
            for (int i = 0; i < weights.length; i++) {
                weights[i] = Double.isInfinite(values[i]) ? 0 : weights[i];
            }
            return weights;
        }

        private double[] random(String what, int i, long count) {
            return Samples.uniform(key.child(what).child(i), Math.toIntExact(count), -1, 1);
        }

        private List<Tensor> run() {
            return f.apply(List.copyOf(arguments));
        }

        Report report() {
            List<Finding> findings = new ArrayList<>();
            for (int k = 1; k <= order; k++) {
                // At order one the slope along the weights is y itself: nothing to learn.
                int count = k == 1 ? given : variables.size();
                for (int i = 0; i < count; i++) {
                    findings.add(compare(k, i));
                }
            }
            return new Report(name, findings, tolerance, seed);
        }

        private Finding compare(int k, int i) {
            Variable moved = variables.get(i);
            double[] direction = random("direction " + k, i, moved.values.length);
            Level here = level(k - 1, false);
            double[] gradient = gradient(k, i);
            double analytic = 0;
            double squares = 0;
            for (int j = 0; j < gradient.length; j++) {
                analytic += gradient[j] * direction[j];
                squares += Math.pow(gradient[j] * direction[j], 2);
            }
            double size = Math.max(Math.sqrt(squares), VISIBLE * here.size);
            double numeric;
            try {
                numeric = Differences.slope(t -> {
                    moved.move(t, direction);
                    return level(k - 1, false).sum;
                }, 1e-10 * size);
            } finally {
                moved.move(0, direction);
            }
            double scale = Math.max(size, Math.max(Math.abs(analytic), Math.abs(numeric)));
            double error = analytic == numeric ? 0 : Math.abs(analytic - numeric) / scale;
            return new Finding(k, moved.name, analytic, numeric, error, error <= tolerance);
        }

        /** The gradient of phi of the order below with respect to one variable, from the recorded sweep. */
        private double[] gradient(int k, int i) {
            try (Scope scope = Scope.open("gradient of order " + k)) {
                return k == 1 ? terms(1, false).get(i).toDoubles() : terms(k, true).get(i).toDoubles();
            }
        }

        /** phi of an order. Infinite outputs have no weight and are left out. */
        private Level level(int k, boolean recorded) {
            try (Scope scope = Scope.open("phi of order " + k)) {
                List<Tensor> terms = terms(k, recorded);
                double sum = 0;
                double squares = 0;
                for (int i = 0; i < terms.size(); i++) {
                    double[] values = terms.get(i).toDoubles();
                    double[] weights = weightsOf(k, i, values.length);
                    for (int j = 0; j < values.length; j++) {
                        if (weights[j] != 0) {
                            sum += values[j] * weights[j];
                            squares += Math.pow(values[j] * weights[j], 2);
                        }
                    }
                }
                return new Level(sum, Math.sqrt(squares), terms);
            }
        }

        private double[] weightsOf(int k, int i, int count) {
            return k == 0 ? variables.get(given + i).leaf.toDoubles() : random("phi " + k, i, count);
        }

        /** What phi of order k weighs: the outputs, or the gradients of phi of order k - 1. */
        private List<Tensor> terms(int k, boolean recorded) {
            if (k == 0) {
                return run().stream().filter(y -> y.dtype().isFloat()).toList();
            }
            List<Tensor> ys = terms(k - 1, true);
            List<Tensor> weights = new ArrayList<>();
            for (int i = 0; i < ys.size(); i++) {
                Tensor y = ys.get(i);
                weights.add(k == 1 ? variables.get(given + i).leaf
                        : Tensor.of(DType.F64, y.shape(), weightsOf(k - 1, i, Math.toIntExact(y.shape().elements()))));
            }
            // Of first gradients only those of what the function is given: those of the weights are its outputs.
            List<Tensor> xs = variables.subList(0, k == 1 ? given : variables.size()).stream().map(Variable::leaf).toList();
            return recorded ? differentiableGrad(ys, weights, xs) : grad(ys, weights, xs);
        }
    }

    @Override
    public String toString() {
        return name + Arrays.toString(inputs.stream().map(Tensor::spec).toArray());
    }
}
