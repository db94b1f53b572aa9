package dev.gatun.ops;

import static dev.gatun.ops.LogSoftmax.logSoftmax;
import static dev.gatun.ops.LogSumExp.logSumExp;

import dev.gatun.engine.Args;
import dev.gatun.engine.Backward;
import dev.gatun.engine.Composed;
import dev.gatun.engine.DType;
import dev.gatun.engine.DTypeException;
import dev.gatun.engine.Elementwise;
import dev.gatun.engine.Kernel;
import dev.gatun.engine.Sample;
import dev.gatun.engine.Shape;
import dev.gatun.engine.ShapeException;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;
import dev.gatun.ops.rows.RowSteps;
import dev.gatun.ops.rows.VectorRows;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

/**
 * {@code loss = (1 - e) (lse - l[target]) + e (lse - mean(l))} for each row l of logits [..., V], with
 * {@code lse = log(sum(exp(l)))}, target [...] and e the smoothing; 0 where the target is the
 * ignored one. Outputs are the losses [...] and lse [...], whose own gradient is taken, too.
 */
public record CrossEntropy(long ignored, double smoothing) implements Composed {

    /** The target of rows that count for nothing. */
    public static final long IGNORED = -100;

    private static final List<Kernel> KERNELS = List.of(
            Kernel.vector(Args::elements, (a, from, to) -> rowsF32(a, from, to, VectorRows.STEPS)),
            Kernel.scalar(Args::elements, (a, from, to) -> rowsF32(a, from, to, RowSteps.plain())),
            Kernel.reference(Args::elements, CrossEntropy::rows),
            Kernel.cuda(RowsLaunch::crossEntropy));
    private static final ValueLayout.OfFloat F = ValueLayout.JAVA_FLOAT_UNALIGNED;

    public CrossEntropy {
        if (!(smoothing >= 0 && smoothing <= 1)) {
            throw new IllegalArgumentException("crossEntropy: the smoothing must be from 0 to 1, is " + smoothing);
        }
    }

    /** The mean loss of the rows whose target is not {@link #IGNORED}; 0 when all are. */
    public static Tensor crossEntropy(Tensor logits, Tensor target) {
        return crossEntropy(logits, target, 0);
    }

    /** The mean loss with label smoothing. */
    public static Tensor crossEntropy(Tensor logits, Tensor target, double smoothing) {
        Tensor kept = target.ne(IGNORED).to(DType.I64).sum().max(1.0);
        Tensor losses = crossEntropyRows(logits, target, smoothing);
        return losses.sum().div(kept.to(losses.dtype()));
    }

    /** The loss of each row; 0 where the target is {@link #IGNORED}. */
    public static Tensor crossEntropyRows(Tensor logits, Tensor target, double smoothing) {
        return new CrossEntropy(IGNORED, smoothing).apply(logits, target);
    }

    @Override
    public List<String> arguments() {
        return List.of("logits", "target");
    }

    @Override
    public List<Spec> infer(Spec... in) {
        requireTargets(in[0], in[1]);
        Spec row = in[0].with(in[1].shape());
        return List.of(row, row);
    }

    private static void requireTargets(Spec logits, Spec target) {
        Elementwise.real(logits.dtype());
        if (target.dtype() != DType.I64 && target.dtype() != DType.I32) {
            throw new DTypeException("targets are whole numbers, not " + target.dtype());
        }
        if (logits.shape().rank() == 0 || !logits.shape().drop(-1).equals(target.shape())) {
            throw new ShapeException("a target for each row is needed: logits are " + logits.shape() + ", targets " + target.shape());
        }
    }

    @Override
    public List<Kernel> kernels() {
        return KERNELS;
    }

    static void rows(Args a, long from, long to) {
        CrossEntropy op = a.op(CrossEntropy.class);
        int classes = (int) a.shape(0).last();
        for (long row = from; row < to; row++) {
            long at = row * classes;
            double max = Softmax.largest(a, at, classes);
            double sum = 0;
            double total = 0;
            for (int i = 0; i < classes; i++) {
                sum += Math.exp(a.get(0, at + i) - max);
                total += a.get(0, at + i);
            }
            double lse = max + Math.log(sum);
            long target = op.target(a, row, classes);
            a.set(0, row, target == op.ignored ? 0 : op.loss(lse, a.get(0, at + target), total / classes));
            a.set(1, row, lse);
        }
    }

    private static void rowsF32(Args a, long from, long to, RowSteps steps) {
        CrossEntropy op = a.op(CrossEntropy.class);
        int classes = (int) a.shape(0).last();
        MemorySegment logits = a.in(0);
        MemorySegment exponentials = a.scratch(classes * 4L);
        for (long row = from; row < to; row++) {
            long at = row * classes * 4;
            double lse = LogSumExp.row(logits, at, classes, steps, exponentials);
            long target = op.target(a, row, classes);
            double loss = 0;
            if (target != op.ignored) {
                double mean = op.smoothing == 0 ? 0 : (double) steps.sum(logits, at, classes) / classes;
                loss = op.loss(lse, logits.get(F, at + target * 4), mean);
            }
            a.out(0).set(F, row * 4, (float) loss);
            a.out(1).set(F, row * 4, (float) lse);
        }
    }

    /** The loss of a row; an excluded class (logit {@code -inf}) does not matter without smoothing. */
    double loss(double lse, double logit, double mean) {
        return smoothing == 0 ? lse - logit : (1 - smoothing) * (lse - logit) + smoothing * (lse - mean);
    }

    /** The target of a row, checked. */
    long target(Args a, long row, int classes) {
        long target = a.getLong(1, row);
        if (target != ignored && (target < 0 || target >= classes)) {
            throw new IndexOutOfBoundsException("crossEntropy: target " + target + " in row " + row + " is not one of "
                    + classes + " classes\n  logits: " + a.spec(0) + "\n  target: " + a.spec(1));
        }
        return target;
    }

    @Override
    public List<Tensor> compose(Tensor... in) {
        Tensor logits = in[0];
        Tensor kept = in[1].ne(ignored);
        Tensor none = Tensor.zeros(DType.I64, Shape.of());
        Tensor target = kept.select(in[1].to(DType.I64), none).insertAxis(-1);
        Tensor logs = logSoftmax(logits, -1);
        Tensor loss = logs.gather(-1, target).neg();
        if (smoothing != 0) {
            loss = loss.mul(1 - smoothing).sub(logs.mean(-1).mul(smoothing));
        }
        Tensor zero = Tensor.zeros(logits.dtype(), Shape.of());
        return List.of(kept.select(loss.dropAxis(-1), zero), logSumExp(logits, -1).dropAxis(-1));
    }

    @Override
    public List<Tensor> gradient(Backward b) {
        return List.of(
                new CrossEntropyGradient(ignored, smoothing).apply(b.in(0), b.in(1), b.out(1), b.g(0), b.g(1)),
                b.none());
    }

    public static List<Sample> samples() {
        return List.of(
                Sample.of(new CrossEntropy(IGNORED, 0), Shape.of(5, 7), Shape.of(5)).integers(1, 0, 7),
                Sample.of(new CrossEntropy(IGNORED, 0.1), Shape.of(2, 3, 33), Shape.of(2, 3)).integers(1, 0, 33),
                Sample.of(new CrossEntropy(1, 0.1), Shape.of(9, 3), Shape.of(9)).integers(1, 0, 3));
    }

    /**
     * {@code dlogits = p (dloss + dlse) - ((1 - e) onehot(target) + e / V) dloss} with {@code p =
     * exp(logits - lse)} and dloss counted as 0 where the target is the ignored one.
     */
    public record CrossEntropyGradient(long ignored, double smoothing) implements Composed {

        private static final List<Kernel> KERNELS = List.of(
                Kernel.vector(Args::rows, (a, from, to) -> rowsF32(a, from, to, VectorRows.STEPS)),
                Kernel.scalar(Args::rows, (a, from, to) -> rowsF32(a, from, to, RowSteps.plain())),
                Kernel.cuda(RowsLaunch::crossEntropyGradient));

        @Override
        public List<String> arguments() {
            return List.of("logits", "target", "lse", "dloss", "dlse");
        }

        @Override
        public List<Spec> infer(Spec... in) {
            requireTargets(in[0], in[1]);
            for (int i = 2; i < in.length; i++) {
                in[0].with(in[1].shape()).require(arguments().get(i), in[i]);
            }
            return List.of(in[0]);
        }

        @Override
        public List<Kernel> kernels() {
            return KERNELS;
        }

        private static void rowsF32(Args a, long from, long to, RowSteps steps) {
            CrossEntropyGradient op = a.op(CrossEntropyGradient.class);
            int classes = (int) a.shape(0).last();
            MemorySegment y = a.out();
            for (long row = from; row < to; row++) {
                long at = row * classes * 4;
                long target = a.getLong(1, row);
                float dloss = target == op.ignored ? 0 : a.in(3).get(F, row * 4);
                float scale = dloss + a.in(4).get(F, row * 4);
                if (dloss == 0 && scale == 0) {
                    y.asSlice(at, classes * 4L).fill((byte) 0);
                    continue;
                }
                float everywhere = (float) (op.smoothing / classes) * dloss;
                steps.exp(a.in(0), at, a.in(2).get(F, row * 4), scale, -everywhere, y, at, classes);
                if (target >= 0 && target < classes) {
                    y.set(F, at + target * 4, y.get(F, at + target * 4) - (float) (1 - op.smoothing) * dloss);
                }
            }
        }

        @Override
        public List<Tensor> compose(Tensor... in) {
            Tensor logits = in[0];
            long classes = logits.dim(-1);
            Tensor target = in[1].to(DType.I64).insertAxis(-1);
            Tensor shares = logits.sub(in[2].insertAxis(-1)).exp();
            Tensor zero = Tensor.zeros(logits.dtype(), Shape.of());
            Tensor dloss = target.ne(ignored).select(in[3].insertAxis(-1), zero);
            Tensor wanted = target.eq(Tensor.arange(DType.I64, classes)).to(logits.dtype())
                    .mul(1 - smoothing).add(smoothing / Math.max(1, classes));
            return List.of(shares.mul(dloss.add(in[4].insertAxis(-1))).sub(wanted.mul(dloss)));
        }

        public static List<Sample> samples() {
            return List.of(
                    Sample.of(new CrossEntropyGradient(IGNORED, 0), Shape.of(5, 7), Shape.of(5), Shape.of(5), Shape.of(5), Shape.of(5))
                            .integers(1, 0, 7).range(2, 2, 4),
                    Sample.of(new CrossEntropyGradient(1, 0.1), Shape.of(4, 33), Shape.of(4), Shape.of(4), Shape.of(4), Shape.of(4))
                            .integers(1, 0, 3).range(2, 2, 4));
        }
    }
}
