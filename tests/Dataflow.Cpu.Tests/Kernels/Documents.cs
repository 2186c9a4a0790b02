namespace Dataflow.Cpu.Tests.Kernels;

/// <summary>Packed documents as kernels see them: the first window row of each token's document.</summary>
public static class Documents
{
    /// <summary>
    /// A chunk of <paramref name="tokens"/> tokens from window row <paramref name="rowOffset"/> on; documents start at
    /// <paramref name="starts"/>, and the last <paramref name="pads"/> tokens are padding, each a document of its own.
    /// </summary>
    public static int[] FirstKeys(int tokens, int rowOffset, int[] starts, int pads = 0) =>
        [
            .. Enumerable
                .Range(rowOffset, tokens)
                .Select(row => row >= rowOffset + tokens - pads ? row : starts.Where(s => s <= row).Append(0).Max()),
        ];
}
