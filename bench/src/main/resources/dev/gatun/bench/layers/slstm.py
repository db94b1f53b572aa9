# The sLSTM recurrence: one batched product a step for all four gates of all heads.
def forward(wx: Tensor, r: Tensor, bias: Tensor) -> Tensor:
    # wx [B, T, 4, H, d], r [4, H, d, d] (gate, head, out, in), bias [4, H, d]
    B, T, H, d = wx.size(0), wx.size(1), wx.size(3), wx.size(4)
    xs = torch.unbind((wx + bias).permute([1, 3, 0, 2, 4]).reshape([T, H, B, 4 * d]), 0)
    rt = r.permute([1, 3, 0, 2]).reshape([H, d, 4 * d])
    h = torch.zeros([H, B, d], dtype=wx.dtype)
    c = torch.zeros_like(h)
    n = torch.zeros_like(h)
    m = torch.full_like(h, -1e30)
    hs = annotate(List[Tensor], [])
    for x in xs:
        gates = torch.chunk(torch.baddbmm(x, h, rt), 4, -1)
        l = torch.log_sigmoid(gates[1]) + m
        new = torch.maximum(l, gates[0]).detach()
        i = torch.exp(gates[0] - new)
        f = torch.exp(l - new)
        c = f * c + i * torch.tanh(gates[2])
        n = f * n + i
        h = torch.sigmoid(gates[3]) * c / n
        m = new
        hs.append(h)
    return torch.stack(hs, 0).permute([2, 0, 1, 3])
