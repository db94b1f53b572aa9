package dev.gatun.verify;

import dev.gatun.engine.Key;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import dev.gatun.layers.Form;
import dev.gatun.layers.Params;
import dev.gatun.layers.SLstm;
import dev.gatun.layers.Step;
import dev.gatun.ops.sequence.SLstmCell;
import java.util.Map;

/** Golden cases of the sLSTM cell, and of the layer around it. */
final class GoldenSLstm {

    /** Parameters in the files and in the layer. */
    static final Map<String, String> NAMES = Map.of(
            "conv_w", "conv.weight",
            "conv_b", "conv.bias",
            "wi", "i.weight",
            "wf", "f.weight",
            "wz", "z.weight",
            "wo", "o.weight",
            "R", "mix",
            "b", "bias",
            "norm_w", "norm.weight");

    private GoldenSLstm() {}

    static Map<String, Tensor> run(GoldenCase c) {
        if (c.has("in.wx")) {
            return cell(c);
        }
        if (c.has("in.x")) {
            return layer(c);
        }
        throw new GoldenCase.Unknown("unknown case \"" + c.name() + "\": neither in.wx nor in.x");
    }

    private static Map<String, Tensor> cell(GoldenCase c) {
        Tensor wx = c.get("in.wx");
        long time = wx.dim(1);
        Tensor none = Tensor.zeros(c.dtype(), Shape.of(wx.dim(0), wx.dim(3), wx.dim(4)));
        Tensor h = given(c, "h", none);
        SLstmCell.Result result = SLstmCell.sLstmCell(wx, c.get("param.R"), c.get("param.b"), h,
                given(c, "c", none), given(c, "n", none), given(c, "m", none));
        Tensor last = time == 0 ? h : result.y().slice(1, time - 1, time).dropAxis(1);
        return Map.of("y", result.y(), "h", last, "c", result.c(), "n", result.n(), "m", result.m());
    }

    private static Map<String, Tensor> layer(GoldenCase c) {
        Params params = Params.fresh(Key.of(1), c.dtype());
        SLstm layer = new SLstm(params, SLstm.Config.of(c.whole("D", 0), c.whole("H", 1)).taps(c.whole("K", 4)));
        c.putAll("param.", NAMES, params, "");
        Tensor x = c.get("in.x");
        SLstm.State start = layer.start(x.dim(0));
        SLstm.State past = new SLstm.State(given(c, "h", start.h()), given(c, "c", start.c()), given(c, "n", start.n()),
                given(c, "m", start.m()), given(c, "conv_state", start.conv()));
        Step<SLstm.State> step = layer.forward(x, past, Form.PARALLEL);
        SLstm.State state = step.state();
        return Map.of("y", step.y(), "h", state.h(), "c", state.c(), "n", state.n(), "m", state.m(), "conv_state", state.conv());
    }

    private static Tensor given(GoldenCase c, String state, Tensor otherwise) {
        return c.has("in." + state) ? c.get("in." + state) : otherwise;
    }
}
