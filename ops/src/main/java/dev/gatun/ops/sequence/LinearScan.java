package dev.gatun.ops.sequence;

import dev.gatun.engine.Args;
import dev.gatun.engine.Backward;
import dev.gatun.engine.Composed;
import dev.gatun.engine.Elementwise;
import dev.gatun.engine.Kernel;
import dev.gatun.engine.Op;
import dev.gatun.engine.Sample;
import dev.gatun.engine.Shape;
import dev.gatun.engine.ShapeException;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;
import dev.gatun.ops.rows.RowSteps;
import dev.gatun.ops.rows.VectorRows;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * {@code h[t] = a[t] h[t-1] + b[t]} with a and b [..., T, D] and a state [..., D] before the first
 * step; reversed, {@code h[t] = a[t] h[t+1] + b[t]} from the last step on. The adjoint of a scan is
 * the reversed scan.
 */
public record LinearScan(boolean reverse) implements Op {

    private static final List<Kernel> KERNELS = List.of(
            Kernel.vector(LinearScan::panels, (a, from, to) -> panelsF32(a, from, to, VectorRows.STEPS)),
            Kernel.scalar(LinearScan::panels, (a, from, to) -> panelsF32(a, from, to, RowSteps.plain())),
            Kernel.reference(a -> a.shape(2).elements(), LinearScan::lines),
            ScansLaunch.LINEAR_SCAN);
    private static final int PANEL = 256;

    /** All states [..., T, D] of the scan from the first step to the last. */
    public static Tensor linearScan(Tensor a, Tensor b, Tensor state) {
        return new LinearScan(false).apply(a, b, state);
    }

    /** All states of the scan from the last step to the first. */
    public static Tensor reverseLinearScan(Tensor a, Tensor b, Tensor state) {
        return new LinearScan(true).apply(a, b, state);
    }

    @Override
    public List<String> arguments() {
        return List.of("a", "b", "state");
    }

    @Override
    public List<Spec> infer(Spec... in) {
        Elementwise.real(in[0].dtype(), in[1].dtype(), in[2].dtype());
        if (!in[0].shape().equals(in[1].shape())) {
            throw new ShapeException("a is " + in[0].shape() + ", b " + in[1].shape());
        }
        requireState(in[0].shape(), in[2].shape());
        return List.of(in[0]);
    }

    private static void requireState(Shape a, Shape state) {
        if (a.rank() < 2 || !a.drop(-2).equals(state)) {
            throw new ShapeException("a state for each line is needed: a is " + a + ", the state " + state);
        }
    }

    @Override
    public List<Kernel> kernels() {
        return KERNELS;
    }

    /** One item is one line along the time axis. */
    static void lines(Args a, long from, long to) {
        boolean reverse = a.op(LinearScan.class).reverse;
        long time = a.shape(0).dim(-2);
        long width = a.shape(0).last();
        for (long line = from; line < to; line++) {
            long first = line / width * time * width + line % width;
            double h = a.get(2, line);
            for (long t = 0; t < time; t++) {
                long at = first + (reverse ? time - 1 - t : t) * width;
                h = a.get(0, at) * h + a.get(1, at);
                a.set(0, at, h);
            }
        }
    }

    private static long panels(Args a) {
        Shape x = a.shape(0);
        return x.elements() == 0 ? 0 : x.elements() / x.dim(-2) / x.last() * Math.ceilDiv(x.last(), PANEL);
    }

    /** One item is a run of neighbouring lines. */
    private static void panelsF32(Args a, long from, long to, RowSteps steps) {
        boolean reverse = a.op(LinearScan.class).reverse;
        long time = a.shape(0).dim(-2);
        long width = a.shape(0).last();
        long panels = Math.ceilDiv(width, PANEL);
        MemorySegment y = a.out();
        for (long item = from; item < to; item++) {
            long column = item % panels * PANEL;
            int n = (int) Math.min(PANEL, width - column);
            long outer = item / panels;
            MemorySegment before = a.in(2);
            long beforeAt = (outer * width + column) * 4;
            for (long t = 0; t < time; t++) {
                long at = ((outer * time + (reverse ? time - 1 - t : t)) * width + column) * 4;
                steps.multiplyAdd(a.in(0), at, before, beforeAt, a.in(1), at, y, at, n);
                before = y;
                beforeAt = at;
            }
        }
    }

    @Override
    public List<Tensor> gradient(Backward b) {
        return new LinearScanGradient(reverse).applyAll(b.in(0), b.in(2), b.out(), b.g());
    }

    public static List<Sample> samples() {
        return List.of(
                Sample.of(new LinearScan(false), Shape.of(2, 5, 3), Shape.of(2, 5, 3), Shape.of(2, 3)).range(0, -1, 1),
                Sample.of(new LinearScan(true), Shape.of(2, 5, 3), Shape.of(2, 5, 3), Shape.of(2, 3)).range(0, -1, 1),
                Sample.of(new LinearScan(false), Shape.of(1, 70), Shape.of(1, 70), Shape.of(70)).range(0, -1, 1),
                Sample.of(new LinearScan(true), Shape.of(3, 40, 33), Shape.of(3, 40, 33), Shape.of(3, 33)).range(0, -1, 1));
    }

    /**
     * With {@code λ[t] = g[t] + a[t+1] λ[t+1]}: {@code da[t] = λ[t] h[t-1]}, {@code db = λ} and, of the state,
     * {@code a[0] λ[0]}; mirrored for the reversed scan.
     */
    public record LinearScanGradient(boolean reverse) implements Composed {

        private static final List<Kernel> KERNELS = List.of(
                Kernel.vector(LinearScan::panels, (a, from, to) -> panelsF32(a, from, to, VectorRows.STEPS))
                        .when(LinearScanGradient::takes),
                Kernel.scalar(LinearScan::panels, (a, from, to) -> panelsF32(a, from, to, RowSteps.plain()))
                        .when(LinearScanGradient::takes));

        @Override
        public List<String> arguments() {
            return List.of("a", "state", "h", "g");
        }

        @Override
        public List<Spec> infer(Spec... in) {
            requireState(in[0].shape(), in[1].shape());
            in[0].require("h", in[2]);
            in[0].require("g", in[3]);
            return List.of(in[0], in[0], in[1]);
        }

        @Override
        public List<Kernel> kernels() {
            return KERNELS;
        }

        /** Without a time step there is no item, but a gradient of the state. */
        private static boolean takes(Args a) {
            return a.isF32() && a.shape(0).elements() > 0;
        }

        /** One item is a run of neighbouring lines, walked against the scan: λ is a scan itself, and stands in db. */
        private static void panelsF32(Args a, long from, long to, RowSteps steps) {
            boolean reverse = a.op(LinearScanGradient.class).reverse;
            long time = a.shape(0).dim(-2);
            long width = a.shape(0).last();
            long panels = Math.ceilDiv(width, PANEL);
            MemorySegment adjoint = a.out(1);
            for (long item = from; item < to; item++) {
                long column = item % panels * PANEL;
                int n = (int) Math.min(PANEL, width - column);
                long outer = item / panels;
                long stateAt = (outer * width + column) * 4;
                long last = -1;
                for (long left = time - 1; left >= 0; left--) {
                    long t = reverse ? time - 1 - left : left;
                    long at = ((outer * time + t) * width + column) * 4;
                    if (last < 0) {
                        MemorySegment.copy(a.in(3), at, adjoint, at, n * 4L);
                    } else {
                        steps.multiplyAdd(a.in(0), last, adjoint, last, a.in(3), at, adjoint, at, n);
                    }
                    if (left == 0) {
                        steps.multiply(adjoint, at, a.in(1), stateAt, a.out(0), at, n);
                        steps.multiply(adjoint, at, a.in(0), at, a.out(2), stateAt, n);
                    } else {
                        long before = at + (reverse ? width : -width) * 4;
                        steps.multiply(adjoint, at, a.in(2), before, a.out(0), at, n);
                    }
                    last = at;
                }
            }
        }

        @Override
        public List<Tensor> compose(Tensor... in) {
            Tensor a = in[0];
            long time = a.dim(-2);
            if (time == 0) {
                return List.of(a, a, in[1].mul(0));
            }
            Tensor zero = Tensor.zeros(a.dtype(), in[1].shape());
            Tensor start = in[1].insertAxis(-2);
            Tensor next;
            Tensor before;
            if (reverse) {
                next = Tensor.concat(-2, List.of(zero.insertAxis(-2), a.slice(-2, 0, time - 1)));
                before = Tensor.concat(-2, List.of(in[2].slice(-2, 1, time), start));
            } else {
                next = Tensor.concat(-2, List.of(a.slice(-2, 1, time), zero.insertAxis(-2)));
                before = Tensor.concat(-2, List.of(start, in[2].slice(-2, 0, time - 1)));
            }
            Tensor adjoint = new LinearScan(!reverse).apply(next, in[3], zero);
            long first = reverse ? time - 1 : 0;
            Tensor state = a.slice(-2, first, first + 1).mul(adjoint.slice(-2, first, first + 1)).dropAxis(-2);
            return List.of(adjoint.mul(before), adjoint, state);
        }

        public static List<Sample> samples() {
            Shape x = Shape.of(2, 6, 17);
            Shape state = Shape.of(2, 17);
            return List.of(
                    Sample.of(new LinearScanGradient(false), x, state, x, x).range(0, -1, 1),
                    Sample.of(new LinearScanGradient(true), x, state, x, x).range(0, -1, 1));
        }
    }
}
