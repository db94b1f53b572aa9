package dev.gatun.ops.sequence;

import static dev.gatun.ops.sequence.OrthogonalSteps.flat;
import static dev.gatun.ops.sequence.OrthogonalSteps.last;

import dev.gatun.engine.Composed;
import dev.gatun.engine.DType;
import dev.gatun.engine.Elementwise;
import dev.gatun.engine.Kernel;
import dev.gatun.engine.Sample;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Gradients of all inputs of {@link OrthogonalSteps} from these and the gradients of y and total. With u the side of z and the gradient
 * of y that has r features and w the one that has c, step n has the gradient {@code T[n] = sum over t of w[t, n] u w ᵀ}, the last t's
 * with that of total; from there {@link NewtonSchulzGradient}, then through the sums. In F32 T is taken apart: in the space of the rows of past
 * and wide the iteration runs as in full; beside it, where S has nothing, a step is a product from the left, which is gathered for
 * the few vectors w and the gradient of total.
 */
public record OrthogonalStepsGrad(OrthogonalSteps of) implements Composed {

    private static final List<Kernel> KERNELS = OrthogonalTiles.backward();

    /** Inputs of the forward. */
    static final int INPUTS = 6;

    @Override
    public List<String> arguments() {
        List<String> names = new ArrayList<>(of.arguments());
        names.addAll(List.of("g", "gtotal"));
        return names;
    }

    @Override
    public List<Spec> infer(Spec... in) {
        Elementwise.real(Arrays.stream(in).map(Spec::dtype).toArray(DType[]::new));
        Spec[] forward = Arrays.copyOf(in, INPUTS);
        List<Spec> out = of.infer(forward);
        out.get(0).require("g", in[INPUTS]);
        out.get(1).require("gtotal", in[INPUTS + 1]);
        return List.of(forward);
    }

    @Override
    public List<Kernel> kernels() {
        return KERNELS;
    }

    @Override
    public List<Tensor> compose(Tensor... in) {
        Tensor shares = in[0];
        Tensor narrow = in[1];
        Tensor wide = in[2];
        Tensor weights = in[4];
        Tensor u = of.widens() ? in[5] : in[6];
        Tensor w = of.widens() ? in[6] : in[5];
        Tensor sums = OrthogonalSteps.sums(shares, narrow, wide, in[3]);
        Tensor steps = new NewtonSchulz(of.steps(), of.eps()).apply(sums);
        Tensor outer = u.insertAxis(-1).matmul(w.insertAxis(3));
        Tensor total = flat(in[7].insertAxis(2));
        Tensor t = weights.transpose().matmul(flat(outer)).add(last(weights).transpose().matmul(total));
        Tensor dsums = new NewtonSchulzGradient(of.steps(), of.eps()).apply(sums, t.reshape(sums.shape()));

        Tensor dweights = flat(outer).matmul(flat(steps).transpose());
        Tensor ofTotal = total.matmul(flat(steps).transpose());
        Tensor none = Tensor.zeros(weights.dtype(), weights.shape().with(2, weights.dim(2) - 1));
        Tensor moved = OrthogonalSteps.moved(weights, steps);
        Tensor dz = in[6].insertAxis(3).matmul(of.widens() ? moved.transpose() : moved).dropAxis(3);

        Tensor met = dsums.matmul(wide.insertAxis(2).transpose());
        Tensor dshares = Tensor.concat(3, List.of(met.mul(narrow.transpose().insertAxis(2)).sum(3).dropAxis(3),
                dsums.mul(in[3].insertAxis(2)).sum(-2, -1).dropAxis(4)));
        Tensor dnarrow = met.mul(OrthogonalSteps.own(shares).insertAxis(3)).sum(2).dropAxis(2).transpose();
        Tensor dwide = OrthogonalSteps.scaled(shares, narrow).matmul(dsums).sum(2).dropAxis(2);
        Tensor dpast = dsums.mul(OrthogonalSteps.carried(shares).insertAxis(-1)).sum(2).dropAxis(2);
        return List.of(dshares, dnarrow, dwide, dpast, dweights.add(Tensor.concat(2, List.of(none, ofTotal))), dz);
    }

    public static List<Sample> samples() {
        List<Sample> samples = new ArrayList<>();
        for (Sample forward : OrthogonalSteps.samples()) {
            OrthogonalSteps op = (OrthogonalSteps) forward.op();
            List<Shape> shapes = new ArrayList<>(forward.inputs().stream().map(Sample.Input::shape).toList());
            Shape past = shapes.get(3);
            shapes.add(shapes.get(5).with(3, op.widens() ? past.last() : past.dim(2)));
            shapes.add(past);
            samples.add(Sample.of(new OrthogonalStepsGrad(op), shapes.toArray(Shape[]::new)).slack(1000));
        }
        return samples;
    }
}
