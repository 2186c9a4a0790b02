namespace Dataflow.Cpu.Kernels.Internals;

/// <summary>Panels of one head's hd columns, the layouts attention multiplies.</summary>
internal static unsafe class HeadPanels
{
    /// <summary>hd rounded up to whole micro-kernel rows.</summary>
    public static int PaddedDim<TKernel>(int headDim)
        where TKernel : struct, IMicroKernel => (headDim + TKernel.Rows - 1) / TKernel.Rows * TKernel.Rows;

    /// <summary>Rows as lanes, in panels of <paramref name="width"/>, each hd x width: an operand whose sum runs over hd.</summary>
    public static void Across(in Matrix head, int row, int rows, float* panels, int width)
    {
        for (int i = 0; i < rows; i += width, panels += head.Columns * width)
        {
            Panels.FromRows(head, row + i, Math.Min(width, rows - i), 0, head.Columns, panels, width);
        }
    }

    /// <summary>The same as a micro-kernel reads it, whose words may be pairs: panels lie as far apart.</summary>
    public static void Across<TScore>(in Matrix head, int row, int rows, float* panels, int width)
        where TScore : struct, IMicroKernel
    {
        if (TScore.Terms == 1)
        {
            Across(head, row, rows, panels, width);
            return;
        }

        for (int i = 0; i < rows; i += width, panels += head.Columns * width)
        {
            PairPanels.FromRows(head, row + i, Math.Min(width, rows - i), 0, head.Columns, panels, width);
        }
    }

    /// <summary>hd as lanes, in panels of the micro-kernel's rows, each StreamBlock x that: an operand whose sum runs over rows.</summary>
    public static void Along<TKernel>(in Matrix head, int row, int rows, float* panels)
        where TKernel : struct, IMicroKernel
    {
        for (int d = 0; d < head.Columns; d += TKernel.Rows, panels += AttentionShape.StreamBlock * TKernel.Rows)
        {
            Panels.FromColumns(head, d, Math.Min(TKernel.Rows, head.Columns - d), row, rows, panels, TKernel.Rows);
        }
    }

    /// <summary>
    /// tile (rows x Columns) = stream x resident: rows <paramref name="from"/> to <paramref name="to"/> - 1 of the stream block,
    /// widened to whole micro-kernel rows, against one panel of the resident operand, over hd.
    /// </summary>
    public static void Scores<TKernel>(int headDim, float* stream, float* resident, float* tile, int from, int to)
        where TKernel : struct, IMicroKernel
    {
        int words = (headDim + TKernel.Terms - 1) / TKernel.Terms;
        for (int i = from / TKernel.Rows * TKernel.Rows; i < to; i += TKernel.Rows)
        {
            TKernel.Run(words, stream + (i * headDim), resident, tile + (i * TKernel.Columns), Start.Zero);
        }
    }

    /// <summary>
    /// sums (padded hd x Columns) += the stream block's rows <paramref name="from"/> to <paramref name="to"/> - 1, transposed, times
    /// the same rows of weights (rows x Columns).
    /// </summary>
    public static void Gather<TKernel>(int headDim, float* stream, float* weights, float* sums, int from, int to)
        where TKernel : struct, IMicroKernel
    {
        for (int d = 0; d < headDim; d += TKernel.Rows)
        {
            float* panel = stream + (d * AttentionShape.StreamBlock) + (from * TKernel.Rows);
            TKernel.Run(to - from, panel, weights + (from * TKernel.Columns), sums + (d * TKernel.Columns), Start.Tile);
        }
    }

    /// <summary>rows x hd = the transpose of sums (hd x width), dense.</summary>
    public static void Upright(float* sums, int headDim, int rows, float* upright, int width) =>
        Panels.FromRows(new Matrix(sums, Model.DType.Float32, headDim, width), 0, headDim, 0, rows, upright, headDim);
}
