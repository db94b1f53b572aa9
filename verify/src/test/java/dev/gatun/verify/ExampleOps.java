package dev.gatun.verify;

import dev.gatun.engine.Args;
import dev.gatun.engine.Backward;
import dev.gatun.engine.Elementwise;
import dev.gatun.engine.Kernel;
import dev.gatun.engine.Op;
import dev.gatun.engine.Sample;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;
import dev.gatun.engine.lanes.Expr;
import java.util.List;

/** Ops as a user might write them, right and wrong. */
final class ExampleOps {

    private ExampleOps() {}

    /** {@code x³}. */
    record Cube() implements Elementwise {
        public Expr body(Expr... x) { return x[0].mul(x[0]).mul(x[0]); }
        public List<Tensor> gradient(Backward b) { return List.of(b.g().mul(b.in(0).square()).mul(3)); }
        public static List<Sample> samples() { return List.of(Sample.of(new Cube(), Shape.of(2, 3))); }
    }

    /** {@code x³} with a gradient that forgets the three. */
    record WrongCube() implements Elementwise {
        public Expr body(Expr... x) { return x[0].mul(x[0]).mul(x[0]); }
        public List<Tensor> gradient(Backward b) { return List.of(b.g().mul(b.in(0).square())); }
        public static List<Sample> samples() { return List.of(); }
    }

    /** {@code x³} with a gradient that is right once: it forgets that x moves. */
    record CubeOnce() implements Elementwise {
        public Expr body(Expr... x) { return x[0].mul(x[0]).mul(x[0]); }
        public List<Tensor> gradient(Backward b) { return List.of(b.g().mul(b.in(0).detach().square()).mul(3)); }
    }

    /** {@code a b} with a gradient that is right until the gradient of its gradient is asked for. */
    record ProductOfFrozenGradient() implements Elementwise {
        public Expr body(Expr... x) { return x[0].mul(x[1]); }
        public List<Tensor> gradient(Backward b) {
            Tensor g = b.g().detach();
            return List.of(g.mul(b.in(1)), g.mul(b.in(0)));
        }
        public List<Sample> samples() { return List.of(); }
    }

    /** A sum of everything whose fast kernel leaves out the last element. */
    record HastySum() implements Op {
        private static final List<Kernel> KERNELS = List.of(
                Kernel.scalar(a -> 1, (a, from, to) -> a.set(0, 0, sum(a, a.shape(0).elements() - 1))),
                Kernel.reference(a -> 1, (a, from, to) -> a.set(0, 0, sum(a, a.shape(0).elements()))));

        private static double sum(Args a, long count) {
            double sum = 0;
            for (long i = 0; i < count; i++) {
                sum += a.get(0, i);
            }
            return sum;
        }

        public List<Spec> infer(Spec... in) { return List.of(in[0].with(Shape.of())); }
        public List<Kernel> kernels() { return KERNELS; }
        public List<Tensor> gradient(Backward b) { return List.of(b.g().expand(b.in(0).shape())); }
        public static List<Sample> samples() { throw new IllegalStateException("no idea"); }
    }
}
