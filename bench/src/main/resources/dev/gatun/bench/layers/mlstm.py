# The mLSTM cell in chunks of 64; the stabiliser is held constant, as it may be.
def forward(q: Tensor, k: Tensor, v: Tensor, i: Tensor, f: Tensor) -> Tensor:
    # q, k, v [B, H, T, D], log input gates i and log forget gates f [B, H, T]
    B, H, T, D = q.size(0), q.size(1), q.size(2), q.size(3)
    C = 64
    N = T // C
    shape = [B, H, N, C, D]
    q = q.reshape(shape) * (float(D) ** -0.5)
    k = k.reshape(shape)
    v = v.reshape(shape)
    i = i.reshape([B, H, N, C, 1])
    b = torch.cumsum(f.reshape([B, H, N, C, 1]), 3)
    hidden = torch.ones([C, C]).triu(1) > 0.0
    d = (b - b.transpose(-1, -2) + i.transpose(-1, -2)).masked_fill(hidden, -inf)
    last = b[:, :, :, C - 1:, :]
    g = last - b + i
    tops = torch.unbind(torch.amax(g, [3], True).detach(), 2)
    lasts = torch.unbind(last, 2)
    gs = torch.unbind(g, 2)
    ks = torch.unbind(k, 2)
    vs = torch.unbind(v, 2)
    c = torch.zeros([B, H, D, D], dtype=q.dtype)
    n = torch.zeros([B, H, 1, D], dtype=q.dtype)
    m = torch.zeros([B, H, 1, 1], dtype=q.dtype)
    cs = annotate(List[Tensor], [])
    ns = annotate(List[Tensor], [])
    ms = annotate(List[Tensor], [])
    for x in range(N):
        cs.append(c)
        ns.append(n)
        ms.append(m)
        new = torch.maximum(lasts[x].detach() + m, tops[x])
        fade = torch.exp(lasts[x] + m - new)
        kw = ks[x] * torch.exp(gs[x] - new)
        c = c * fade + torch.matmul(kw.transpose(-1, -2), vs[x])
        n = n * fade + kw.sum([2], True)
        m = new
    m = torch.stack(ms, 2)
    mu = torch.maximum(b.detach() + m, torch.amax(d, [-1], True).detach())
    s = torch.matmul(q, k.transpose(-1, -2)) * torch.exp(d - mu)
    qw = q * torch.exp(b + m - mu)
    num = torch.matmul(s, v) + torch.matmul(qw, torch.stack(cs, 2))
    u = s.sum([-1], True) + torch.matmul(qw, torch.stack(ns, 2).transpose(-1, -2))
    return (num / torch.maximum(torch.abs(u), torch.exp(-mu))).reshape([B, H, T, D])
