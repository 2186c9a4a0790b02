namespace Dataflow.Model;

/// <summary>
/// Device memory that a run takes beside its arena. The driver's context, modules and library workspaces take the same in every run; the
/// page tables of pinned host memory, through which the GPU reaches it, grow with the host arena.
/// </summary>
/// <param name="Fixed">What does not depend on the host arena. Zero: nothing is reserved at all, as on a CPU and in the published system's
/// plans.</param>
public readonly record struct DeviceReserve(Bytes Fixed)
{
    /// <summary>Bytes of pinned host memory for each byte of its page tables: 8 bytes for each page of 4 KiB.</summary>
    public const long HostBytesPerTableByte = 512;

    /// <summary>What drivers differ by, and what a measurement does not see.</summary>
    public static readonly Bytes Slack = new(128L << 20);

    /// <summary>Nothing is reserved.</summary>
    public static readonly DeviceReserve None;

    /// <summary>The least that any run takes: that of one without host memory.</summary>
    public Bytes Least => For(Bytes.Zero);

    /// <summary>What a run with such a host arena takes.</summary>
    public Bytes For(Bytes host) => Fixed == Bytes.Zero ? Bytes.Zero : Fixed + Slack + PageTables(host);

    /// <summary>Page tables of pinned host memory.</summary>
    public static Bytes PageTables(Bytes host) =>
        new((host.Value / HostBytesPerTableByte) + (host.Value % HostBytesPerTableByte > 0 ? 1 : 0));
}
