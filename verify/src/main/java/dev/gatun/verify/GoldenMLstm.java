package dev.gatun.verify;

import dev.gatun.engine.Key;
import dev.gatun.engine.Tensor;
import dev.gatun.layers.Form;
import dev.gatun.layers.MLstm;
import dev.gatun.layers.MLstmBlock;
import dev.gatun.layers.Params;
import dev.gatun.layers.Step;
import java.util.LinkedHashMap;
import java.util.Map;

/** Golden cases of the mLSTM: the cell, the block of the first paper, and the layer of xLSTM 7B. */
final class GoldenMLstm {

    /** Parameters in the files and in the layer of xLSTM 7B. */
    static final Map<String, String> LAYER = Map.of(
            "wq", "query.weight",
            "wk", "key.weight",
            "wv", "value.weight",
            "wo", "output_gate.weight",
            "wi", "input_gate.weight",
            "bi", "input_gate.bias",
            "wf", "forget_gate.weight",
            "bf", "forget_gate.bias",
            "norm_w", "norm.weight",
            "out", "out.weight");

    private static final Map<String, String> BLOCK = Map.ofEntries(
            Map.entry("up", "up.weight"),
            Map.entry("conv_w", "conv.weight"),
            Map.entry("conv_b", "conv.bias"),
            Map.entry("wq", "query.weight"),
            Map.entry("wk", "key.weight"),
            Map.entry("wv", "value.weight"),
            Map.entry("wi", "input_gate.weight"),
            Map.entry("bi", "input_gate.bias"),
            Map.entry("wf", "forget_gate.weight"),
            Map.entry("bf", "forget_gate.bias"),
            Map.entry("norm_w", "norm.weight"),
            Map.entry("skip", "skip"),
            Map.entry("down", "down.weight"));

    private static final long CHUNK = 64;

    private GoldenMLstm() {}

    static Map<String, Tensor> run(GoldenCase c) {
        return c.has("in.q") ? cell(c) : c.has("param.up") ? block(c) : layer(c);
    }

    private static Map<String, Tensor> cell(GoldenCase c) {
        Tensor q = c.get("in.q");
        Tensor v = c.get("in.v");
        MLstm.State past = past(c, MLstm.State.empty(c.dtype(), q.dim(0), q.dim(1), q.dim(3), v.dim(3)));
        Step<MLstm.State> step = new MLstm.Cell(c.truth("sigmoid_input"), c.number("eps", 0), CHUNK)
                .of(q, c.get("in.k"), v, c.get("in.i"), c.get("in.f"), past, Form.PARALLEL);
        return results(step.state(), "h", step.y());
    }

    private static MLstm.State past(GoldenCase c, MLstm.State none) {
        return new MLstm.State(c.has("in.C") ? c.get("in.C") : none.c(), c.has("in.n") ? c.get("in.n") : none.n(),
                c.has("in.m") ? c.get("in.m") : none.m());
    }

    private static Map<String, Tensor> layer(GoldenCase c) {
        Params params = Params.fresh(Key.of(1), c.dtype());
        MLstm layer = new MLstm(params, MLstm.Config.of(c.whole("D", 0), c.whole("H", 0)).sigmoidInput(c.truth("sigmoid_input"))
                .eps(c.number("eps", 0)));
        c.putAll("param.", LAYER, params, "");
        Tensor x = c.get("in.x");
        Step<MLstm.State> step = layer.forward(x, past(c, layer.start(x.dim(0))), Form.PARALLEL);
        return results(step.state(), "y", step.y());
    }

    private static Map<String, Tensor> block(GoldenCase c) {
        Params params = Params.fresh(Key.of(1), c.dtype());
        MLstmBlock layer = new MLstmBlock(params, MLstmBlock.Config.of(c.whole("D", 0), c.whole("H", 0)).inner(2 * c.whole("D", 0))
                .sizes(c.whole("K", 4), c.whole("blocksize", 4)).cell(c.truth("sigmoid_input"), c.number("eps", 0)));
        c.putAll("param.", BLOCK, params, "");
        Tensor x = c.get("in.x");
        MLstmBlock.State none = layer.start(x.dim(0));
        MLstmBlock.State past = new MLstmBlock.State(past(c, none.cell()), c.has("in.conv_state") ? c.get("in.conv_state") : none.inputs());
        Step<MLstmBlock.State> step = layer.forward(x, past, Form.PARALLEL);
        Map<String, Tensor> results = results(step.state().cell(), "y", step.y());
        results.put("conv_state", step.state().inputs());
        return results;
    }

    private static Map<String, Tensor> results(MLstm.State state, String name, Tensor y) {
        Map<String, Tensor> results = new LinkedHashMap<>();
        results.put(name, y);
        results.put("C", state.c());
        results.put("n", state.n());
        results.put("m", state.m());
        return results;
    }
}
