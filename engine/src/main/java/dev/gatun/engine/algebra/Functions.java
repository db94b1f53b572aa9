package dev.gatun.engine.algebra;

import dev.gatun.engine.Backward;
import dev.gatun.engine.DType;
import dev.gatun.engine.Device;
import dev.gatun.engine.Elementwise;
import dev.gatun.engine.Sample;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import dev.gatun.engine.lanes.Expr;
import java.util.List;

/** Elementary functions of one real number, and changes of dtype. */
public final class Functions {

    private Functions() {}

    private static final Shape X = Shape.of(3, 37);
    private static final double TWO_OVER_SQRT_PI = 1.1283791670955126;

    /** A function of one real number. */
    private interface Real extends Elementwise {
        @Override
        default DType result(DType... in) {
            return Elementwise.real(in);
        }
    }

    /** Square root. */
    public record Sqrt() implements Real {
        public Expr body(Expr... x) { return x[0].sqrt(); }
        public List<Tensor> gradient(Backward b) { return List.of(b.g().mul(0.5).div(b.out())); }
        public static List<Sample> samples() { return List.of(Sample.of(new Sqrt(), X).range(0, 0.1, 4)); }
    }

    /** One over the square root. */
    public record Rsqrt() implements Real {
        public Expr body(Expr... x) { return x[0].rsqrt(); }
        public List<Tensor> gradient(Backward b) {
            return List.of(b.g().mul(-0.5).mul(b.out()).div(b.in(0)));
        }
        public static List<Sample> samples() { return List.of(Sample.of(new Rsqrt(), X).range(0, 0.1, 4)); }
    }

    /** e to the power of x. */
    public record Exp() implements Real {
        public Expr body(Expr... x) { return x[0].exp(); }
        public List<Tensor> gradient(Backward b) { return List.of(b.g().mul(b.out())); }
        public static List<Sample> samples() { return List.of(Sample.of(new Exp(), X)); }
    }

    /** {@code e^x - 1}, exact near zero. */
    public record Expm1() implements Real {
        public Expr body(Expr... x) { return x[0].expm1(); }
        public List<Tensor> gradient(Backward b) { return List.of(b.g().mul(b.out().add(1))); }
        public static List<Sample> samples() { return List.of(Sample.of(new Expm1(), X)); }
    }

    /** Natural logarithm. */
    public record Log() implements Real {
        public Expr body(Expr... x) { return x[0].log(); }
        public List<Tensor> gradient(Backward b) { return List.of(b.g().div(b.in(0))); }
        public static List<Sample> samples() { return List.of(Sample.of(new Log(), X).range(0, 0.1, 4)); }
    }

    /** {@code log(1 + x)}, exact near zero. */
    public record Log1p() implements Real {
        public Expr body(Expr... x) { return x[0].log1p(); }
        public List<Tensor> gradient(Backward b) { return List.of(b.g().div(b.in(0).add(1))); }
        public static List<Sample> samples() { return List.of(Sample.of(new Log1p(), X).range(0, -0.9, 4)); }
    }

    /** Sine of an angle in radians. */
    public record Sin() implements Real {
        public Expr body(Expr... x) { return x[0].sin(); }
        public List<Tensor> gradient(Backward b) { return List.of(b.g().mul(b.in(0).cos())); }
        public static List<Sample> samples() { return List.of(Sample.of(new Sin(), X)); }
    }

    /** Cosine of an angle in radians. */
    public record Cos() implements Real {
        public Expr body(Expr... x) { return x[0].cos(); }
        public List<Tensor> gradient(Backward b) { return List.of(b.g().mul(b.in(0).sin()).neg()); }
        public static List<Sample> samples() { return List.of(Sample.of(new Cos(), X)); }
    }

    /** Hyperbolic tangent. */
    public record Tanh() implements Real {
        public Expr body(Expr... x) { return x[0].tanh(); }
        public List<Tensor> gradient(Backward b) { return List.of(b.g().mul(b.out().square().neg().add(1))); }
        public static List<Sample> samples() { return List.of(Sample.of(new Tanh(), X)); }
    }

    /** {@code 1 / (1 + e^-x)}. */
    public record Sigmoid() implements Real {
        public Expr body(Expr... x) { return x[0].sigmoid(); }
        public List<Tensor> gradient(Backward b) { return List.of(b.g().mul(b.out()).mul(b.out().neg().add(1))); }
        public static List<Sample> samples() { return List.of(Sample.of(new Sigmoid(), X)); }
    }

    /** Error function, {@code 2/sqrt(pi)} times the integral of {@code exp(-t²)} from 0 to x. */
    public record Erf() implements Real {
        public Expr body(Expr... x) { return x[0].erf(); }
        public List<Tensor> gradient(Backward b) {
            return List.of(b.g().mul(b.in(0).square().neg().exp()).mul(TWO_OVER_SQRT_PI));
        }
        public static List<Sample> samples() { return List.of(Sample.of(new Erf(), X)); }
    }

    /** The same numbers, rounded to or widened to a dtype; towards zero when it holds whole numbers. */
    public record Cast(DType to) implements Elementwise {
        public Expr body(Expr... x) { return to == DType.BOOL ? x[0].ne(0) : x[0]; }
        public Object form() { return to == DType.BOOL ? this : Cast.class; }
        public DType result(DType... in) { return to; }
        /** The wider side computes, so that nothing is rounded twice. */
        public DType lanes(DType... in) {
            DType from = in[0];
            if (from == DType.F64 || to == DType.F64) {
                return DType.F64;
            }
            if (from.isFloat() || to.isFloat()) {
                return from == DType.I64 || from == DType.I32 || to == DType.I64 || to == DType.I32 ? DType.F64 : DType.F32;
            }
            return from == DType.I64 || to == DType.I64 ? DType.I64 : DType.I32;
        }
        public boolean takesStorageTypes() { return true; }
        public List<Tensor> gradient(Backward b) {
            return List.of(to.isFloat() && b.in(0).dtype().isFloat() ? b.g().to(b.in(0).dtype()) : b.none());
        }
        public static List<Sample> samples() {
            return List.of(Sample.of(new Cast(DType.F64), X), Sample.of(new Cast(DType.I64), X), Sample.of(new Cast(DType.BOOL), X),
                    Sample.of(new Cast(DType.F64), X).integers(0, -9, 9), Sample.of(new Cast(DType.F64), X).bools(0));
        }
    }

    /** The same numbers on another device; {@link Tensor#to(Device)} records it, and its gradient goes the way back. */
    public record Transfer(Device to) implements Elementwise {
        public Expr body(Expr... x) { return x[0]; }
        public boolean takesStorageTypes() { return true; }
        public List<Tensor> gradient(Backward b) { return List.of(b.g().to(b.in(0).device())); }
        public static List<Sample> samples() { return List.of(Sample.of(new Transfer(Device.cpu()), X)); }
    }

    /** The same numbers, row by row without gaps. */
    public record Copy() implements Elementwise {
        public Expr body(Expr... x) { return x[0]; }
        public boolean takesStorageTypes() { return true; }
        public List<Tensor> gradient(Backward b) { return List.of(b.g()); }
        public static List<Sample> samples() { return List.of(Sample.of(new Copy(), X), Sample.of(new Copy(), X).integers(0, -9, 9)); }
    }
}
