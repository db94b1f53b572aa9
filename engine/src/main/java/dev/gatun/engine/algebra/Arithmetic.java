package dev.gatun.engine.algebra;

import dev.gatun.engine.Backward;
import dev.gatun.engine.DType;
import dev.gatun.engine.Elementwise;
import dev.gatun.engine.Sample;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import dev.gatun.engine.lanes.Expr;
import java.util.List;

/** Arithmetic, element by element. Gradients of repeated (broadcast) inputs are summed by the sweep. */
public final class Arithmetic {

    private Arithmetic() {}

    private static final Shape A = Shape.of(3, 5);
    private static final Shape WIDE = Shape.of(2, 3, 33);

    /** {@code a + b}. */
    public record Add() implements Elementwise {
        public Expr body(Expr... x) { return x[0].add(x[1]); }
        public List<Tensor> gradient(Backward b) { return List.of(b.g(), b.g()); }
        public static List<Sample> samples() {
            return List.of(Sample.of(new Add(), A, A), Sample.of(new Add(), WIDE, Shape.of(33)),
                    Sample.of(new Add(), Shape.of(4, 1), Shape.of(1, 7)), Sample.of(new Add(), Shape.of(), Shape.of(1)));
        }
    }

    /** {@code a - b}. */
    public record Sub() implements Elementwise {
        public Expr body(Expr... x) { return x[0].sub(x[1]); }
        public List<Tensor> gradient(Backward b) { return List.of(b.g(), b.needs(1) ? b.g().neg() : b.none()); }
        public static List<Sample> samples() {
            return List.of(Sample.of(new Sub(), A, A), Sample.of(new Sub(), WIDE, Shape.of(2, 1, 33)));
        }
    }

    /** {@code a * b}. */
    public record Mul() implements Elementwise {
        public Expr body(Expr... x) { return x[0].mul(x[1]); }
        public List<Tensor> gradient(Backward b) {
            return List.of(b.needs(0) ? b.g().mul(b.in(1)) : b.none(), b.needs(1) ? b.g().mul(b.in(0)) : b.none());
        }
        public static List<Sample> samples() {
            return List.of(Sample.of(new Mul(), A, A), Sample.of(new Mul(), WIDE, Shape.of(3, 1)),
                    Sample.of(new Mul(), WIDE, WIDE));
        }
    }

    /** {@code a / b}. */
    public record Div() implements Elementwise {
        public Expr body(Expr... x) { return x[0].div(x[1]); }
        public List<Tensor> gradient(Backward b) {
            Tensor da = b.g().div(b.in(1));
            return List.of(da, b.needs(1) ? da.mul(b.out()).neg() : b.none());
        }
        public static List<Sample> samples() {
            return List.of(Sample.of(new Div(), A, A).range(1, 0.5, 2), Sample.of(new Div(), WIDE, Shape.of(33)).range(1, -2, -0.5));
        }
    }

    /** The larger of {@code a} and {@code b}; where they are equal the gradient is shared. */
    public record Maximum() implements Elementwise {
        public String name() { return "max"; }
        public Expr body(Expr... x) { return x[0].max(x[1]); }
        public List<Tensor> gradient(Backward b) { return larger(b, b.in(0), b.in(1)); }
        public static List<Sample> samples() {
            return List.of(Sample.of(new Maximum(), A, A), Sample.of(new Maximum(), WIDE, Shape.of(33)));
        }
    }

    /** The smaller of {@code a} and {@code b}; where they are equal the gradient is shared. */
    public record Minimum() implements Elementwise {
        public String name() { return "min"; }
        public Expr body(Expr... x) { return x[0].min(x[1]); }
        public List<Tensor> gradient(Backward b) { return larger(b, b.in(1), b.in(0)); }
        public static List<Sample> samples() {
            return List.of(Sample.of(new Minimum(), A, A), Sample.of(new Minimum(), WIDE, Shape.of(33)));
        }
    }

    private static List<Tensor> larger(Backward b, Tensor large, Tensor small) {
        Tensor g = b.g();
        Tensor first = large.gt(small).to(g.dtype()).add(large.eq(small).to(g.dtype()).mul(0.5));
        Tensor da = g.mul(first);
        return List.of(da, g.sub(da));
    }

    /** {@code a} to the power of {@code b}, for positive {@code a} where the gradient of {@code b} is wanted. */
    public record Power() implements Elementwise {
        public String name() { return "pow"; }
        public Expr body(Expr... x) { return x[0].pow(x[1]); }
        public DType result(DType... in) { return Elementwise.real(in); }
        public List<Tensor> gradient(Backward b) {
            Tensor base = b.in(0);
            Tensor exponent = b.in(1);
            return List.of(
                    b.needs(0) ? b.g().mul(exponent).mul(base.pow(exponent.sub(1))) : b.none(),
                    b.needs(1) ? b.g().mul(b.out()).mul(base.log()) : b.none());
        }
        public static List<Sample> samples() {
            return List.of(Sample.of(new Power(), A, A).range(0, 0.5, 3), Sample.of(new Power(), WIDE, Shape.of(33)).range(0, 0.5, 3));
        }
    }

    /** {@code x + c}. */
    public record AddNumber(double number) implements Elementwise {
        public String name() { return "add"; }
        public Expr body(Expr... x) { return x[0].add(Expr.parameter(0)); }
        public double[] parameters() { return new double[] {number}; }
        public List<Tensor> gradient(Backward b) { return List.of(b.g()); }
        public static List<Sample> samples() { return List.of(Sample.of(new AddNumber(1.5), A)); }
    }

    /** {@code x * c}. */
    public record MulNumber(double number) implements Elementwise {
        public String name() { return "mul"; }
        public Expr body(Expr... x) { return x[0].mul(Expr.parameter(0)); }
        public double[] parameters() { return new double[] {number}; }
        public List<Tensor> gradient(Backward b) { return List.of(b.g().mul(number)); }
        public static List<Sample> samples() { return List.of(Sample.of(new MulNumber(-1.5), WIDE)); }
    }

    /** {@code x / c}. */
    public record DivNumber(double number) implements Elementwise {
        public String name() { return "div"; }
        public Expr body(Expr... x) { return x[0].div(Expr.parameter(0)); }
        public double[] parameters() { return new double[] {number}; }
        public List<Tensor> gradient(Backward b) { return List.of(b.g().div(number)); }
        public static List<Sample> samples() { return List.of(Sample.of(new DivNumber(3), WIDE)); }
    }

    /** The larger of {@code x} and a number; the gradient passes where {@code x} is above it. */
    public record MaxNumber(double number) implements Elementwise {
        public String name() { return "max"; }
        public Expr body(Expr... x) { return x[0].max(Expr.parameter(0)); }
        public double[] parameters() { return new double[] {number}; }
        public List<Tensor> gradient(Backward b) { return List.of(b.g().mul(b.in(0).gt(number).to(b.g().dtype()))); }
        public static List<Sample> samples() { return List.of(Sample.of(new MaxNumber(0.25), WIDE)); }
    }

    /** The smaller of {@code x} and a number; the gradient passes where {@code x} is below it. */
    public record MinNumber(double number) implements Elementwise {
        public String name() { return "min"; }
        public Expr body(Expr... x) { return x[0].min(Expr.parameter(0)); }
        public double[] parameters() { return new double[] {number}; }
        public List<Tensor> gradient(Backward b) { return List.of(b.g().mul(b.in(0).lt(number).to(b.g().dtype()))); }
        public static List<Sample> samples() { return List.of(Sample.of(new MinNumber(0.25), WIDE)); }
    }

    /** {@code x} to the power of a number. */
    public record PowNumber(double number) implements Elementwise {
        public String name() { return "pow"; }
        public Expr body(Expr... x) { return x[0].pow(Expr.parameter(0)); }
        public double[] parameters() { return new double[] {number}; }
        public DType result(DType... in) { return Elementwise.real(in); }
        public List<Tensor> gradient(Backward b) { return List.of(b.g().mul(b.in(0).pow(number - 1)).mul(number)); }
        public static List<Sample> samples() {
            return List.of(Sample.of(new PowNumber(2.5), WIDE).range(0, 0.5, 3), Sample.of(new PowNumber(-1), A).range(0, 0.5, 3));
        }
    }

    /** {@code -x}. */
    public record Neg() implements Elementwise {
        public Expr body(Expr... x) { return x[0].neg(); }
        public List<Tensor> gradient(Backward b) { return List.of(b.g().neg()); }
        public static List<Sample> samples() { return List.of(Sample.of(new Neg(), WIDE)); }
    }

    /** {@code |x|}; the gradient at zero is zero. */
    public record Abs() implements Elementwise {
        public Expr body(Expr... x) { return x[0].abs(); }
        public List<Tensor> gradient(Backward b) { return List.of(b.g().mul(b.in(0).sign())); }
        public static List<Sample> samples() { return List.of(Sample.of(new Abs(), WIDE).range(0, 0.1, 2), Sample.of(new Abs(), A).range(0, -2, -0.1)); }
    }

    /** -1, 0 or 1. */
    public record Sign() implements Elementwise {
        public Expr body(Expr... x) {
            return x[0].gt(0).select(Expr.constant(1), x[0].lt(0).select(Expr.constant(-1), Expr.constant(0)));
        }
        public List<Tensor> gradient(Backward b) { return List.of(b.none()); }
        public static List<Sample> samples() { return List.of(Sample.of(new Sign(), WIDE).range(0, 0.1, 2)); }
    }

    /** {@code x * x}. */
    public record Square() implements Elementwise {
        public Expr body(Expr... x) { return x[0].mul(x[0]); }
        public List<Tensor> gradient(Backward b) { return List.of(b.g().mul(b.in(0)).mul(2)); }
        public static List<Sample> samples() { return List.of(Sample.of(new Square(), WIDE)); }
    }
}
