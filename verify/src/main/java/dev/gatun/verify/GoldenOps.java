package dev.gatun.verify;

import static dev.gatun.ops.CrossEntropy.crossEntropy;
import static dev.gatun.ops.CrossEntropy.crossEntropyRows;
import static dev.gatun.ops.Embedding.embedding;
import static dev.gatun.ops.LayerNorm.layerNorm;
import static dev.gatun.ops.LogSoftmax.logSoftmax;
import static dev.gatun.ops.LogSumExp.logSumExp;
import static dev.gatun.ops.Norms.gateThenRmsNorm;
import static dev.gatun.ops.Norms.groupLayerNorm;
import static dev.gatun.ops.Norms.l2Norm;
import static dev.gatun.ops.Norms.rmsNormThenGate;
import static dev.gatun.ops.RmsNorm.rmsNorm;
import static dev.gatun.ops.Softmax.softmax;
import static dev.gatun.ops.sequence.CausalConv.causalConv;
import static dev.gatun.ops.sequence.DecayMatrix.decayMatrix;
import static dev.gatun.ops.sequence.LinearScan.linearScan;
import static dev.gatun.ops.sequence.LinearScan.reverseLinearScan;
import static dev.gatun.ops.sequence.NewtonSchulz.newtonSchulz;
import static dev.gatun.ops.sequence.Rope.ropeInterleaved;

import dev.gatun.engine.DType;
import dev.gatun.engine.Key;
import dev.gatun.engine.Tensor;
import dev.gatun.layers.Linear;
import dev.gatun.layers.Params;
import dev.gatun.layers.optim.AdamW;
import dev.gatun.layers.optim.GradientClip;
import dev.gatun.layers.optim.Muon;
import dev.gatun.layers.optim.Optimizer;
import dev.gatun.ops.Activations;
import dev.gatun.ops.sequence.CausalConv;
import dev.gatun.ops.sequence.Rope;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.function.UnaryOperator;

/** Golden cases of building operators and optimisers. The op is what {@code config.op} says, or how the case's name starts. */
final class GoldenOps {

    /** Cases whose op is said by the start of their name. */
    private static final List<String> FAMILIES = List.of("swiglu", "cross_entropy", "conv1d", "embedding", "linear_scan", "linear",
            "bmm", "decay_matrix", "rope", "adamw", "muon", "newton_schulz", "clip_grad_norm");

    private GoldenOps() {}

    static Map<String, Tensor> run(GoldenCase c) {
        String named = c.text("op", "");
        String op = named.isEmpty() ? family(c.name()) : named;
        return switch (op) {
            case "layer_norm" -> y(norm(c));
            case "rms_norm" -> y(rmsNorm(c.get("in.x"), c.get("param.weight"), c.number("eps")));
            case "l2_norm" -> y(l2Norm(c.get("in.x"), c.number("eps")));
            case "rms_norm_then_gate" -> y(rmsNormThenGate(c.get("in.x"), c.get("in.z"), c.get("param.weight"), c.number("eps")));
            case "gate_then_rms_norm" -> y(gateThenRmsNorm(c.get("in.x"), c.get("in.z"), c.get("param.weight"), c.number("eps")));
            case "group_layer_norm" ->
                y(groupLayerNorm(c.get("in.x"), c.whole("groups", 1), c.get("param.weight"), c.number("eps")));
            case "softmax" -> y(softmax(c.get("in.x"), -1));
            case "log_softmax" -> y(logSoftmax(c.get("in.x"), -1));
            case "logsumexp" -> y(logSumExp(c.get("in.x"), -1));
            case "swiglu" -> y(Activations.swiglu(c.get("in.gate"), c.get("in.up")));
            case "embedding" -> y(embedding(c.get("param.weight"), c.get("in.ids")));
            case "bmm" -> y(Einsum.einsum(c.text("eq", ""), c.get("in.a"), c.get("in.b")));
            case "decay_matrix" -> Map.of("decay", decayMatrix(c.get("in.x")));
            case "newton_schulz" -> Map.of("X", newtonSchulz(c.get("in.G"), (int) c.whole("steps", 5), c.number("eps")));
            case "linear" -> linear(c);
            case "linear_scan" -> Map.of("h", c.truth("reverse")
                    ? reverseLinearScan(c.get("in.a"), c.get("in.b"), c.get("in.h0"))
                    : linearScan(c.get("in.a"), c.get("in.b"), c.get("in.h0")));
            case "rope" -> rope(c);
            case "cross_entropy" -> losses(c);
            case "conv1d" -> conv(c);
            case "adamw" -> adamw(c);
            case "muon" -> muon(c);
            case "clip_grad_norm" -> clip(c);
            default -> y(curve(op, c.name().contains("_derivative")).apply(c.get("in.x")));
        };
    }

    private static String family(String name) {
        return FAMILIES.stream().filter(name::startsWith).findFirst()
                .orElseThrow(() -> new GoldenCase.Unknown("unknown case \"" + name + "\" and no op in its config"));
    }

    private static Map<String, Tensor> y(Tensor y) {
        return Map.of("y", y);
    }

    private static UnaryOperator<Tensor> curve(String op, boolean derivative) {
        return switch (derivative ? op + "_derivative" : op) {
            case "gelu_exact" -> Activations::gelu;
            case "gelu_tanh" -> Activations::geluTanh;
            case "silu" -> Activations::silu;
            case "sigmoid" -> Tensor::sigmoid;
            case "softplus" -> Activations::softplus;
            case "log_sigmoid" -> Activations::logSigmoid;
            case "tanh_softcap_15" -> x -> Activations.softcap(x, 15);
            case "elu_plus_one" -> Activations::eluPlusOne;
            case "gelu_exact_derivative" -> Activations::geluDerivative;
            case "gelu_tanh_derivative" -> Activations::geluTanhDerivative;
            case "silu_derivative" -> Activations::siluDerivative;
            default -> throw new GoldenCase.Unknown("unknown op \"" + op + "\"" + (derivative ? " with a derivative" : ""));
        };
    }

    private static Tensor norm(GoldenCase c) {
        Tensor bias = c.find("param.bias");
        return bias == null
                ? layerNorm(c.get("in.x"), c.get("param.weight"), c.number("eps"))
                : layerNorm(c.get("in.x"), c.get("param.weight"), bias, c.number("eps"));
    }

    private static Map<String, Tensor> linear(GoldenCase c) {
        Params params = Params.fresh(Key.of(1), c.dtype());
        Tensor weight = c.stored("param.weight");
        boolean biased = c.has("param.bias");
        Linear layer = new Linear(params, weight.dim(1), weight.dim(0), biased);
        c.put("param.weight", params, "weight");
        if (biased) {
            c.put("param.bias", params, "bias");
        }
        return y(layer.forward(c.get("in.x")));
    }

    private static Map<String, Tensor> rope(GoldenCase c) {
        Tensor x = c.get("in.x");
        long rotated = c.whole("rot", x.dim(-1));
        return y(c.truth("interleaved")
                ? ropeInterleaved(x, c.whole("pos0", 0), c.number("base", 10_000), rotated)
                : Rope.rope(x, c.whole("pos0", 0), c.number("base", 10_000), rotated));
    }

    private static Map<String, Tensor> losses(GoldenCase c) {
        double smoothing = c.number("label_smoothing", 0);
        Tensor logits = c.get("in.logits");
        Tensor target = c.get("in.target");
        return Map.of("loss_per_row", crossEntropyRows(logits, target, smoothing), "mean_loss", crossEntropy(logits, target, smoothing));
    }

    private static Map<String, Tensor> conv(GoldenCase c) {
        boolean silu = switch (c.text("act", "none")) {
            case "silu" -> true;
            case "none" -> false;
            default -> throw new GoldenCase.Unknown("unknown activation \"" + c.text("act", "") + "\"");
        };
        Tensor x = c.get("in.x");
        Tensor weight = c.get("param.weight");
        Tensor bias = c.find("param.bias");
        CausalConv.Result result = c.has("in.state")
                ? causalConv(x, weight, bias, c.get("in.state"), silu)
                : causalConv(x, weight, bias, silu);
        return Map.of("y", result.y(), "state", result.state());
    }

    // ---- optimisers: a trajectory of steps ----

    private static Params parameter(GoldenCase c) {
        Params params = Params.fresh(Key.of(1), c.dtype());
        params.make("p", c.stored("in.p0").shape(), (key, spec) -> c.get("in.p0"));
        return params;
    }

    private static Tensor row(Tensor x, long step) {
        return x.slice(0, step, step + 1).dropAxis(0);
    }

    private static Map<String, Tensor> adamw(GoldenCase c) {
        SequencedMap<String, Tensor> p = parameter(c).trainable();
        AdamW adamw = new AdamW(p, new AdamW.Settings(c.number("beta1"), c.number("beta2"), c.number("eps"), c.number("weight_decay")),
                (name, value) -> true);
        Map<String, Tensor> outputs = new LinkedHashMap<>();
        outputs.put("p", steps(c, adamw, p.get("p"), () -> { }));
        outputs.put("exp_avg", adamw.state().get("adamw.m.p"));
        outputs.put("exp_avg_sq", adamw.state().get("adamw.v.p"));
        return outputs;
    }

    private static Map<String, Tensor> muon(GoldenCase c) {
        SequencedMap<String, Tensor> p = parameter(c).trainable();
        Muon.Settings settings = new Muon.Settings(c.number("momentum"), c.truth("nesterov"), (int) c.whole("ns_steps", 5),
                c.number("weight_decay"), 1);
        Muon muon = new Muon(p, (name, value) -> true, settings, AdamW.Settings.DEFAULT);
        Tensor momentum = muon.state().get("muon.m.p");
        List<Tensor> updates = new ArrayList<>();
        Map<String, Tensor> outputs = new LinkedHashMap<>();
        outputs.put("p", steps(c, muon, p.get("p"), () ->
                updates.add(Muon.update(momentum, row(c.get("in.grads"), updates.size()), settings).insertAxis(0))));
        outputs.put("momentum", momentum);
        outputs.put("update", Tensor.concat(0, updates));
        return outputs;
    }

    /** The parameter after each step, one behind the other. */
    private static Tensor steps(GoldenCase c, Optimizer optimizer, Tensor parameter, Runnable afterEach) {
        List<Tensor> after = new ArrayList<>();
        for (long step = 0; step < c.stored("in.grads").dim(0); step++) {
            optimizer.step(List.of(row(c.get("in.grads"), step)), c.number("lr"));
            after.add(parameter.detach().mul(1).insertAxis(0));
            afterEach.run();
        }
        return Tensor.concat(0, after);
    }

    private static Map<String, Tensor> clip(GoldenCase c) {
        List<Tensor> gradients = new ArrayList<>();
        while (c.has("in.g" + gradients.size())) {
            gradients.add(c.get("in.g" + gradients.size()));
        }
        GradientClip.Clipped clipped = GradientClip.clip(gradients, c.number("max_norm"));
        Map<String, Tensor> outputs = new LinkedHashMap<>();
        outputs.put("norm", Tensor.of(DType.F64, clipped.norm()));
        for (int i = 0; i < gradients.size(); i++) {
            outputs.put("g" + i, clipped.gradients().get(i));
        }
        return outputs;
    }
}
