package dev.gatun.autograd;

import dev.gatun.engine.Node;
import dev.gatun.engine.Op;
import dev.gatun.engine.Scope;
import dev.gatun.engine.Tensor;
import java.security.CodeSource;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;

/**
 * Finds the first op that makes a number that is not finite, forward or in a gradient, and stops
 * there with an {@link AnomalyException} that names the op, its inputs' statistics and the place in
 * the user's code.
 *
 * {@snippet :
 * try (Anomaly watch = Anomaly.watch("step")) {
 *     Tensor loss = model.forward(x);
 *     grad(loss, params.values());
 * }
 * }
 *
 * It is a scope like any other, and what is watched is what runs on this thread while it is open.
 * Every output is read once more and stack traces are taken, so a step takes a few times as long.
 */
public final class Anomaly implements AutoCloseable {

    private static final StackWalker WALKER = StackWalker.getInstance(StackWalker.Option.RETAIN_CLASS_REFERENCE);
    private static final CodeSource ENGINE = Op.class.getProtectionDomain().getCodeSource();
    private static final CodeSource AUTOGRAD = Anomaly.class.getProtectionDomain().getCodeSource();
    private static final int PLACES = 3;

    private final Map<Node, String> places = new IdentityHashMap<>();
    private final Scope scope;
    private boolean checking;

    private Anomaly(String name) {
        scope = Scope.open(name, this::check);
    }

    /** Opens a scope in which ops are watched. */
    public static Anomaly watch(String name) {
        return new Anomaly(name);
    }

    /** The scope, to keep tensors from it. */
    public Scope scope() {
        return scope;
    }

    @Override
    public void close() {
        scope.close();
    }

    private void check(Op op, List<Tensor> inputs, List<Tensor> outputs) {
        if (checking) {
            return; // reading a strided tensor copies it, by an op
        }
        checking = true;
        try {
            checkEach(op, inputs, outputs);
        } finally {
            checking = false;
        }
    }

    private void checkEach(Op op, List<Tensor> inputs, List<Tensor> outputs) {
        for (int i = 0; i < outputs.size(); i++) {
            Tensor y = outputs.get(i);
            Statistics made = Statistics.of(y);
            if (made.finite() || inputs.isEmpty() || made.nan == 0 && op.mayBeInfinite(i)) {
                continue;
            }
            Statistics read = inputs.stream().map(Statistics::of).reduce(Statistics.NOTHING, Statistics::and);
            // Infinities that came in may go out again; a NaN is somebody's mistake wherever it shows first.
            if (made.nan > 0 || read.infinite == 0) {
                throw new AnomalyException(message(op, inputs, made, read, i, outputs.size()));
            }
        }
        for (Tensor y : outputs) {
            if (y.node() != null) {
                places.computeIfAbsent(y.node(), node -> place());
            }
        }
    }

    private String message(Op op, List<Tensor> inputs, Statistics made, Statistics read, int output, int outputs) {
        StringBuilder text = new StringBuilder(op.name()).append(": ");
        if (outputs > 1) {
            text.append("output ").append(output).append(" has ");
        } else {
            text.append("the result has ");
        }
        text.append(made.trouble()).append(read.nan > 0 ? ", which came in with an input" : ", made here first");
        for (int i = 0; i < inputs.size(); i++) {
            text.append("\n  ").append(op.argument(i, inputs.size())).append(": ").append(inputs.get(i).describe())
                    .append(", ").append(Statistics.of(inputs.get(i)));
        }
        Node rule = Sweep.RULE.get();
        if (rule != null) {
            text.append("\n  in the gradient of ").append(rule.op().name()).append(", which ran")
                    .append(places.getOrDefault(rule, " before the watch began"));
            text.append("\n  gradient asked for").append(place());
        } else {
            text.append("\n ").append(place());
        }
        return text.toString();
    }

    /** The innermost frames outside the engine, its ops and the sweep. */
    private static String place() {
        List<String> frames = WALKER.walk(all -> all
                .filter(frame -> isUsers(frame.getDeclaringClass()))
                .limit(PLACES)
                .map(frame -> frame.toStackTraceElement())
                .map(e -> e.getClassName() + "." + e.getMethodName() + "(" + e.getFileName() + ":" + e.getLineNumber() + ")")
                .toList());
        return " at " + String.join("\n    from ", frames);
    }

    private static boolean isUsers(Class<?> type) {
        CodeSource source = type.getProtectionDomain().getCodeSource();
        if (source == null || source.equals(ENGINE) || source.equals(AUTOGRAD)) {
            return false;
        }
        Class<?> top = type;
        for (; top.getEnclosingClass() != null && !Op.class.isAssignableFrom(top); top = top.getEnclosingClass()) { }
        return !Op.class.isAssignableFrom(top);
    }

    /** Range, mean and counts of what is not finite. */
    private record Statistics(double min, double max, double sum, long count, long nan, long infinite) {

        static final Statistics NOTHING = new Statistics(Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY, 0, 0, 0, 0);

        static Statistics of(Tensor t) {
            if (!t.dtype().isFloat()) {
                return NOTHING;
            }
            double min = Double.POSITIVE_INFINITY;
            double max = Double.NEGATIVE_INFINITY;
            double sum = 0;
            long nan = 0;
            long infinite = 0;
            for (double value : t.toDoubles()) {
                if (Double.isNaN(value)) {
                    nan++;
                } else if (Double.isInfinite(value)) {
                    infinite++;
                } else {
                    min = Math.min(min, value);
                    max = Math.max(max, value);
                    sum += value;
                }
            }
            return new Statistics(min, max, sum, t.shape().elements(), nan, infinite);
        }

        Statistics and(Statistics o) {
            return new Statistics(Math.min(min, o.min), Math.max(max, o.max), sum + o.sum, count + o.count, nan + o.nan, infinite + o.infinite);
        }

        boolean finite() {
            return nan == 0 && infinite == 0;
        }

        String trouble() {
            return nan == 0 ? infinite + " infinite of " + count : infinite == 0 ? nan + " NaN of " + count
                    : nan + " NaN and " + infinite + " infinite of " + count;
        }

        @Override
        public String toString() {
            if (count == 0) {
                return "no real numbers";
            }
            long finite = count - nan - infinite;
            String range = finite == 0 ? "" : String.format(", min %.4g, max %.4g, mean %.4g", min, max, sum / finite);
            return (finite() ? "all finite" : trouble()) + range;
        }
    }
}
