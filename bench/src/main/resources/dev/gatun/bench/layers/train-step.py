# One step of the default language model: parameters in the order of the model, 9 a block.
def turned(x: Tensor, c: Tensor, s: Tensor) -> Tensor:
    a = x[:, :, :, :32]
    b = x[:, :, :, 32:]
    return torch.cat([a * c - b * s, b * c + a * s], -1)
def split(x: Tensor) -> Tensor:
    return torch.transpose(torch.reshape(x, [x.size(0), x.size(1), 4, 64]), 1, 2)
def forward(ids: Tensor, targets: Tensor, step: Tensor, parameters: List[Tensor], means: List[Tensor], squares: List[Tensor]) -> List[Tensor]:
    # the loss
    p = parameters
    waves = torch.pow(10000., torch.arange(32, dtype=6) * (-0.03125))
    angles = torch.unsqueeze(torch.arange(ids.size(1), dtype=6), 1) * waves
    c = torch.cos(angles)
    s = torch.sin(angles)
    x = torch.embedding(p[0], ids)
    width = [x.size(2)]
    blocks = (len(p) - 2) // 9
    for i in range(blocks):
        n = 9 * i + 1
        h = torch.rms_norm(x, width, p[n], 1e-06)
        q = self.turned(self.split(torch.linear(h, p[n + 1])), c, s)
        k = self.turned(self.split(torch.linear(h, p[n + 2])), c, s)
        v = self.split(torch.linear(h, p[n + 3]))
        y = torch.scaled_dot_product_attention(q, k, v, None, 0.0, True)
        x = x + torch.linear(torch.reshape(torch.transpose(y, 1, 2), x.size()), p[n + 4])
        h = torch.rms_norm(x, width, p[n + 5], 1e-06)
        x = x + torch.linear(torch.silu(torch.linear(h, p[n + 6])) * torch.linear(h, p[n + 7]), p[n + 8])
    logits = torch.linear(torch.rms_norm(x, width, p[len(p) - 1], 1e-06), p[0])
    loss = torch.cross_entropy_loss(torch.flatten(logits, 0, 1), torch.flatten(targets))
    # its gradients, clipped to a norm of 1
    found = torch.grad([loss], p)
    g = annotate(List[Tensor], [])
    for i in range(len(found)):
        g.append(ops.prim.unchecked_unwrap_optional(found[i]))
    norm = torch.norm(torch.stack(torch._foreach_norm(g)))
    torch._foreach_mul_(g, torch.clamp(torch.reciprocal(norm + 1e-06), None, 1.))
    # the optimiser: what has two axes decays
    torch.add_(step, 1)
    # handed back, or the interpreter takes what is written to them for unused
    written = annotate(List[Tensor], [])
    for d in range(2):
        ps = annotate(List[Tensor], [])
        gs = annotate(List[Tensor], [])
        ms = annotate(List[Tensor], [])
        vs = annotate(List[Tensor], [])
        steps = annotate(List[Tensor], [])
        for i in range(len(p)):
            if int(p[i].dim() == 2) == d:
                ps.append(p[i].detach())
                gs.append(g[i])
                ms.append(means[i])
                vs.append(squares[i])
                steps.append(step)
        torch._fused_adamw_(ps, gs, ms, vs, annotate(List[Tensor], []), steps, lr=0.001, beta1=0.9, beta2=0.95, weight_decay=0.1 * d, eps=1e-08, amsgrad=False, maximize=False)
        written = written + ps + ms + vs
    return [loss.detach(), step] + g + written
