package dev.gatun.ops;

import dev.gatun.engine.Args;
import dev.gatun.engine.Backward;
import dev.gatun.engine.DType;
import dev.gatun.engine.Elementwise;
import dev.gatun.engine.Kernel;
import dev.gatun.engine.Key;
import dev.gatun.engine.Op;
import dev.gatun.engine.Sample;
import dev.gatun.engine.Shape;
import dev.gatun.engine.ShapeException;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;
import java.util.List;

/**
 * Random numbers named by keys. An element depends on its key and index alone: not on the shape, on
 * threads or on what was drawn before. See {@link Draws} for where its bits come from.
 */
public final class Random {

    private static final Key KEY = Key.of(7);

    private Random() {}

    /** Numbers spread evenly over {@code [0, 1)}. */
    public static Tensor uniform(Key key, DType dtype, Shape shape) {
        return uniform(key, dtype, shape, 0, 1);
    }

    /** Numbers spread evenly from {@code low} to {@code high}. */
    public static Tensor uniform(Key key, DType dtype, Shape shape, double low, double high) {
        return new Uniform(key, new Spec(dtype, shape), low, high).apply();
    }

    /** Normal numbers of mean 0 and variance 1. */
    public static Tensor normal(Key key, DType dtype, Shape shape) {
        return new Normal(key, new Spec(dtype, shape)).apply();
    }

    /** Truth values that are true with this probability. */
    public static Tensor bernoulli(Key key, Shape shape, double probability) {
        return new Bernoulli(key, shape, probability).apply();
    }

    /** Whole numbers (I64) from {@code from} to {@code to - 1}, each as likely as the others. */
    public static Tensor integers(Key key, Shape shape, long from, long to) {
        return new Integers(key, shape, from, to).apply();
    }

    /** The numbers {@code 0, …, n - 1} (I64) in random order, all orders as likely. */
    public static Tensor permutation(Key key, long n) {
        return new Permutation(key, n).apply();
    }

    /** {@code x} with a share of its elements, {@code rate}, set to 0 and the others divided by {@code 1 - rate}. */
    public static Tensor dropout(Tensor x, double rate, Key key) {
        return rate == 0 ? x : new Dropout(key, rate).apply(x);
    }

    private static void requireProbability(String what, double p) {
        if (!(p >= 0 && p <= 1)) {
            throw new IllegalArgumentException(what + " must be from 0 to 1, is " + p);
        }
    }

    /** {@code low + (high - low) u} with u even over {@code [0, 1)}; rounding may make it {@code high}. */
    public record Uniform(Key key, Spec spec, double low, double high) implements Op {

        private static final List<Kernel> KERNELS = List.of(
                Kernel.vector(Draws::blocks, (a, from, to) -> Draws.Fast.uniform(a, from, to)),
                Kernel.scalar(Draws::blocks, Draws.Scalar::uniform),
                Kernel.reference(Args::elements, Uniform::elements),
                DrawsLaunch.UNIFORM);

        @Override
        public List<Spec> infer(Spec... in) {
            Elementwise.real(spec.dtype());
            return List.of(spec);
        }

        @Override
        public List<Kernel> kernels() {
            return KERNELS;
        }

        static void elements(Args a, long from, long to) {
            Uniform op = a.op(Uniform.class);
            for (long i = from; i < to; i++) {
                double u = a.isF32() ? Draws.share(Draws.of(op.key, i)) : Integer.toUnsignedLong(Draws.of(op.key, i)) * 0x1p-32;
                a.set(0, i, a.isF32() ? Math.fma((float) u, (float) (op.high - op.low), (float) op.low) : op.low + (op.high - op.low) * u);
            }
        }

        @Override
        public List<Tensor> gradient(Backward b) {
            return List.of();
        }

        public static List<Sample> samples() {
            return List.of(Sample.of(new Uniform(KEY, new Spec(DType.F32, Shape.of(3, 37)), -2, 3)),
                    Sample.of(new Uniform(KEY, new Spec(DType.F64, Shape.of(70)), 0, 1)));
        }
    }

    /** Normal numbers of mean 0 and variance 1, two of every 64 bits (Box and Muller 1958). */
    public record Normal(Key key, Spec spec) implements Op {

        private static final List<Kernel> KERNELS = List.of(
                Kernel.vector(Draws::blocks, (a, from, to) -> Draws.Fast.normal(a, from, to)),
                Kernel.scalar(Draws::blocks, Draws.Scalar::normal),
                Kernel.reference(Args::elements, Normal::elements),
                DrawsLaunch.NORMAL);

        @Override
        public List<Spec> infer(Spec... in) {
            Elementwise.real(spec.dtype());
            return List.of(spec);
        }

        @Override
        public List<Kernel> kernels() {
            return KERNELS;
        }

        static void elements(Args a, long from, long to) {
            Key key = a.op(Normal.class).key;
            for (long i = from; i < to; i++) {
                long word = key.word(Draws.word(i));
                boolean cosine = (i & 16) == 0;
                a.set(0, i, a.isF32()
                        ? Draws.normal((int) word, (int) (word >>> 32), cosine)
                        : Draws.exactNormal((int) word, (int) (word >>> 32), cosine));
            }
        }

        @Override
        public List<Tensor> gradient(Backward b) {
            return List.of();
        }

        public static List<Sample> samples() {
            return List.of(Sample.of(new Normal(KEY, new Spec(DType.F32, Shape.of(3, 37)))),
                    Sample.of(new Normal(KEY, new Spec(DType.F64, Shape.of(70)))));
        }
    }

    /** True with a probability. */
    public record Bernoulli(Key key, Shape shape, double probability) implements Op {

        private static final List<Kernel> KERNELS = List.of(Kernel.reference(Args::elements, Bernoulli::elements), DrawsLaunch.BERNOULLI);

        public Bernoulli {
            requireProbability("bernoulli: the probability", probability);
        }

        @Override
        public List<Spec> infer(Spec... in) {
            return List.of(new Spec(DType.BOOL, shape));
        }

        @Override
        public List<Kernel> kernels() {
            return KERNELS;
        }

        static void elements(Args a, long from, long to) {
            Bernoulli op = a.op(Bernoulli.class);
            int limit = Draws.limit(op.probability);
            for (long i = from; i < to; i++) {
                a.set(0, i, Draws.of(op.key, i) >>> 8 < limit ? 1 : 0);
            }
        }

        @Override
        public List<Tensor> gradient(Backward b) {
            return List.of();
        }

        public static List<Sample> samples() {
            return List.of(Sample.of(new Bernoulli(KEY, Shape.of(3, 37), 0.3)));
        }
    }

    /** Whole numbers of a range, by the high half of a 128-bit product: no number is favoured by more than one draw in 2^64. */
    public record Integers(Key key, Shape shape, long from, long to) implements Op {

        private static final List<Kernel> KERNELS = List.of(Kernel.reference(Args::elements, Integers::elements), DrawsLaunch.INTEGERS);

        @Override
        public List<Spec> infer(Spec... in) {
            if (from >= to) {
                throw new ShapeException("no whole number from " + from + " to below " + to);
            }
            return List.of(new Spec(DType.I64, shape));
        }

        @Override
        public List<Kernel> kernels() {
            return KERNELS;
        }

        static void elements(Args a, long first, long end) {
            Integers op = a.op(Integers.class);
            for (long i = first; i < end; i++) {
                a.setLong(0, i, op.from + Math.unsignedMultiplyHigh(op.key.word(i), op.to - op.from));
            }
        }

        @Override
        public List<Tensor> gradient(Backward b) {
            return List.of();
        }

        public static List<Sample> samples() {
            return List.of(Sample.of(new Integers(KEY, Shape.of(3, 37), -5, 20)));
        }
    }

    /** The numbers from 0 to n - 1, shuffled (Fisher and Yates). */
    public record Permutation(Key key, long n) implements Op {

        private static final List<Kernel> KERNELS = List.of(Kernel.reference(a -> 1, Permutation::shuffle), DrawsLaunch.PERMUTATION);

        @Override
        public List<Spec> infer(Spec... in) {
            return List.of(new Spec(DType.I64, Shape.of(n)));
        }

        @Override
        public List<Kernel> kernels() {
            return KERNELS;
        }

        static void shuffle(Args a, long from, long to) {
            Permutation op = a.op(Permutation.class);
            long[] order = new long[Math.toIntExact(op.n)];
            for (int i = 0; i < order.length; i++) {
                int place = (int) Math.unsignedMultiplyHigh(op.key.word(i), i + 1);
                order[i] = order[place];
                order[place] = i;
            }
            for (int i = 0; i < order.length; i++) {
                a.setLong(0, i, order[i]);
            }
        }

        @Override
        public List<Tensor> gradient(Backward b) {
            return List.of();
        }

        public static List<Sample> samples() {
            return List.of(Sample.of(new Permutation(KEY, 40)), Sample.of(new Permutation(KEY, 1)));
        }
    }

    /**
     * {@code x / (1 - rate)} where the element's draw keeps it, else 0. Linear in x, so it is its own
     * gradient: the key brings the same mask back.
     */
    public record Dropout(Key key, double rate) implements Op {

        private static final List<Kernel> KERNELS = List.of(
                Kernel.vector(Draws::blocks, (a, from, to) -> Draws.Fast.dropout(a, from, to)),
                Kernel.scalar(Draws::blocks, Draws.Scalar::dropout),
                Kernel.reference(Args::elements, Dropout::elements),
                DrawsLaunch.DROPOUT);

        public Dropout {
            requireProbability("dropout: the rate", rate);
        }

        @Override
        public List<Spec> infer(Spec... in) {
            Elementwise.real(in[0].dtype());
            return List.of(in[0]);
        }

        @Override
        public List<Kernel> kernels() {
            return KERNELS;
        }

        static void elements(Args a, long from, long to) {
            Dropout op = a.op(Dropout.class);
            int limit = Draws.limit(1 - op.rate);
            for (long i = from; i < to; i++) {
                a.set(0, i, Draws.of(op.key, i) >>> 8 < limit ? a.get(0, i) / (1 - op.rate) : 0);
            }
        }

        @Override
        public List<Tensor> gradient(Backward b) {
            return List.of(new Dropout(key, rate).apply(b.g()));
        }

        public static List<Sample> samples() {
            return List.of(Sample.of(new Dropout(KEY, 0.3), Shape.of(3, 37)), Sample.of(new Dropout(KEY, 0.5), Shape.of(2, 5, 70)));
        }
    }
}
