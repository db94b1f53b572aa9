package dev.gatun.ops.sequence;

import dev.gatun.engine.Composed;
import dev.gatun.engine.Kernel;
import dev.gatun.engine.Sample;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Gradients of {@link SLstmCell} from its inputs, its output y and the gradients of its outputs: back through time, in the notation
 * there. Since h does not depend on the scales m, they count as constants:
 *
 * <pre>
 * dh = g[t] + sum over gates of Rᵀ dr[t+1]       dc += dh σ(o) / n       dn -= dh h / n
 * di = i' (dc tanh(z) + dn)       df = σ(-f) f' (dc c[t-1] + dn n[t-1])       dz = dc i' (1 - tanh²(z))       do = dh h σ(-o)
 * dR += dr h[t-1]ᵀ       dc *= f'       dn *= f'
 * </pre>
 *
 * But c, n and m after the last step are as the scale has them. Their gradients with respect to it,
 * {@code dm - c dc - n dn}, belong to the one gate that m was last taken from, or to the m before all steps.
 */
public record SLstmCellGrad() implements Composed {

    private static final List<Kernel> KERNELS = LstmHeads.backward();

    @Override
    public List<String> arguments() {
        return List.of("wx", "r", "bias", "h", "c", "n", "m", "y", "g", "gc", "gn", "gm");
    }

    @Override
    public List<Spec> infer(Spec... in) {
        Spec[] forward = Arrays.copyOf(in, 7);
        List<Spec> out = new SLstmCell().infer(forward);
        out.get(0).require("y", in[7]);
        for (int i = 0; i < 4; i++) {
            out.get(i).require(arguments().get(8 + i), in[8 + i]);
        }
        return List.of(forward);
    }

    @Override
    public List<Kernel> kernels() {
        return KERNELS;
    }

    @Override
    public List<Tensor> compose(Tensor... in) {
        int time = Math.toIntExact(in[0].dim(1));
        List<SLstmCell.Step> steps = new ArrayList<>();
        List<Tensor> raws = new ArrayList<>();
        List<Tensor> before = new ArrayList<>();
        steps.add(new SLstmCell.Step(null, null, null, null, in[4], in[5], in[6], null));
        before.add(in[3]);
        for (int t = 0; t < time; t++) {
            raws.add(SLstmCell.raw(in, t, before.get(t)));
            steps.add(steps.get(t).next(raws.get(t)));
            before.add(in[7].slice(1, t, t + 1).dropAxis(1));
        }
        SLstmCell.Step last = steps.get(time);
        Tensor dc = in[9];
        Tensor dn = in[10];
        Tensor scale = in[11].sub(last.c().mul(dc)).sub(last.n().mul(dn));
        Tensor dh = Tensor.zeros(dc.dtype(), dc.shape());
        Tensor zero = Tensor.zeros(dc.dtype(), Shape.of());
        Tensor dr = in[1].mul(0);
        Tensor dbias = in[2].mul(0);
        List<Tensor> slopes = new ArrayList<>();
        for (int t = time - 1; t >= 0; t--) {
            SLstmCell.Step s = steps.get(t + 1);
            SLstmCell.Step earlier = steps.get(t);
            Tensor g = in[8].slice(1, t, t + 1).dropAxis(1).add(dh);
            Tensor share = s.c().div(s.n());
            Tensor dout = g.mul(share);
            dc = dc.add(g.mul(s.out()).div(s.n()));
            dn = dn.sub(dout.mul(s.out()).div(s.n()));
            Tensor di = s.in().mul(dc.mul(s.value()).add(dn)).add(s.old().select(zero, scale));
            Tensor dl = s.keep().mul(dc.mul(earlier.c()).add(dn.mul(earlier.n()))).add(s.old().select(scale, zero));
            scale = s.old().select(scale, zero);
            Tensor df = dl.mul(SLstmCell.gate(raws.get(t), 1).neg().sigmoid());
            Tensor dz = dc.mul(s.in()).mul(s.value().square().neg().add(1));
            Tensor d = dout.mul(s.out()).mul(s.out().neg().add(1));
            Tensor gates = Tensor.concat(1, List.of(di.insertAxis(1), df.insertAxis(1), dz.insertAxis(1), d.insertAxis(1)));
            slopes.add(gates.insertAxis(1));

            Tensor column = gates.insertAxis(-1);
            Tensor row = before.get(t).reshape(dc.dim(0), 1, dc.dim(1), 1, dc.dim(2));
            dr = dr.add(column.mul(row).sum(0).dropAxis(0));
            dbias = dbias.add(gates.sum(0).dropAxis(0));
            dh = in[1].transpose().matmul(column).dropAxis(-1).sum(1).dropAxis(1);
            dc = dc.mul(s.keep());
            dn = dn.mul(s.keep());
        }
        Tensor dm = in[4].mul(dc).add(in[5].mul(dn)).add(scale);
        Tensor dwx = slopes.isEmpty() ? in[0] : Tensor.concat(1, slopes.reversed());
        return List.of(dwx, dr, dbias, dh, dc, dn, dm);
    }

    public static List<Sample> samples() {
        return SLstmCell.samples().stream().map(SLstmCellGrad::sample).toList();
    }

    /** Any numbers of the right shape may stand for y. */
    private static Sample sample(Sample forward) {
        List<Shape> shapes = new ArrayList<>(forward.inputs().stream().map(Sample.Input::shape).toList());
        Shape wx = shapes.get(0);
        Shape y = Shape.of(wx.dim(0), wx.dim(1), wx.dim(3), wx.dim(4));
        shapes.addAll(List.of(y, y, shapes.get(4), shapes.get(5), shapes.get(6)));
        Sample.Input r = forward.inputs().get(1);
        return Sample.of(new SLstmCellGrad(), shapes.toArray(Shape[]::new)).range(1, r.from(), r.to()).range(5, 0.5, 2).range(7, -1, 1);
    }
}
