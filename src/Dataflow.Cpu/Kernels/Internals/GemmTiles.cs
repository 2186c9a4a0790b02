using System.Runtime.Intrinsics;
using Dataflow.Model;

namespace Dataflow.Cpu.Kernels.Internals;

/// <summary>
/// A product cut into tiles of c, one a job. A job walks the whole of K in steps of <see cref="WordsStep"/>: it packs its
/// panels of b, then its panels of a in groups that stay in the second-level cache, and keeps fp32 sums in scratch memory,
/// where chains of products add up in ascending k. Where all of its rows of a are one group, as those of an expert mostly are, a panel of b
/// is used once: it is packed when its turn comes, while the panel before is multiplied what it is made of is fetched.
/// </summary>
internal readonly unsafe struct GemmTiles<TKernel> : IJob
    where TKernel : struct, IMicroKernel
{
    private const int WordsStep = 256;
    private const int MaxRows = 768;
    private const int MaxColumns = 1024;
    private const int GroupRows = 192;

    private readonly ThreadTeam team;
    private readonly Matrix a;
    private readonly Matrix b;
    private readonly Matrix c;
    private readonly GemmEpilogue epilogue;
    private readonly Transpose ta;
    private readonly Transpose tb;
    private readonly int depth;
    private readonly int tileRows;
    private readonly int tileColumns;

    public GemmTiles(ThreadTeam team, Matrix a, Transpose ta, Matrix b, Transpose tb, in GemmResult to)
    {
        (this.team, this.a, this.ta, this.b, this.tb, c) = (team, a, ta, b, tb, to.C);
        depth = ta == Transpose.No ? a.Columns : a.Rows;
        epilogue = new(to);
        (tileRows, tileColumns) = TileShape(c.Rows, c.Columns, team.Threads);
    }

    /// <summary>Number of tiles.</summary>
    public int Count => Blocks(c.Rows, tileRows) * Blocks(c.Columns, tileColumns);

    /// <inheritdoc/>
    public void Run(int index, int worker)
    {
        int columnTiles = Blocks(c.Columns, tileColumns);
        int row = index / columnTiles * tileRows;
        int column = index % columnTiles * tileColumns;
        int rows = Math.Min(tileRows, c.Rows - row);
        int columns = Math.Min(tileColumns, c.Columns - column);
        int rowPanels = Blocks(rows, TKernel.Rows);
        int columnPanels = Blocks(columns, TKernel.Columns);
        int tileSize = TKernel.Rows * TKernel.Columns;

        float* sums = (float*)team.Scratch(worker);
        float* packedB = sums + ((long)rowPanels * columnPanels * tileSize);
        float* packedA = packedB + ((long)columnPanels * TKernel.Columns * WordsStep);
        int group = GroupRows / TKernel.Rows;
        bool oneGroup = rowPanels <= group;

        // K = 0 still takes one step, which writes the zeros.
        for (int k = 0; k == 0 || k < depth; k += WordsStep * TKernel.Terms)
        {
            int step = Math.Min(WordsStep * TKernel.Terms, depth - k);
            int words = (step + TKernel.Terms - 1) / TKernel.Terms;
            for (int j = 0; !oneGroup && j < columnPanels; j++)
            {
                PackB(j, column, columns, k, packedB);
            }

            Start start = k == 0 ? Start.Zero : Start.Tile;
            for (int firstPanel = 0; firstPanel < rowPanels; firstPanel += group)
            {
                int panels = Math.Min(group, rowPanels - firstPanel);
                for (int i = 0; i < panels; i++)
                {
                    int first = (firstPanel + i) * TKernel.Rows;
                    int lanes = Math.Min(TKernel.Rows, rows - first);
                    Pack(a, ta == Transpose.No, row + first, lanes, k, step, packedA + ((long)i * TKernel.Rows * words), TKernel.Rows);
                }

                for (int j = 0; j < columnPanels; j++)
                {
                    if (oneGroup)
                    {
                        PackB(j, column, columns, k, packedB);
                    }

                    bool last = j == columnPanels - 1;
                    Ahead next = !oneGroup ? default
                        : last ? Behind(0, column, columns, k + (WordsStep * TKernel.Terms), panels)
                        : Behind(j + 1, column, columns, k, panels);
                    float* panelB = packedB + ((long)j * TKernel.Columns * words);
                    float* tile = sums + ((((long)firstPanel * columnPanels) + j) * tileSize);
                    for (int i = 0; i < panels; i++, tile += (long)columnPanels * tileSize)
                    {
                        TKernel.RunChains(words, packedA + ((long)i * TKernel.Rows * words), panelB, tile, start);
                        next.Fetch();
                    }
                }

                // While these sums are in a cache.
                int end = k + step < depth ? 0 : Math.Min(rows, (firstPanel + panels) * TKernel.Rows);
                for (int i = firstPanel * TKernel.Rows; i < end; i++)
                {
                    float* panel = sums + ((long)(i / TKernel.Rows) * columnPanels * tileSize) + (i % TKernel.Rows * TKernel.Columns);
                    Finish(row + i, column, columns, panel, tileSize);
                }
            }
        }
    }

    /// <summary>A panel of a tile's columns.</summary>
    private void PackB(int panel, int column, int columns, int k, float* packedB)
    {
        int first = panel * TKernel.Columns, step = Math.Min(WordsStep * TKernel.Terms, depth - k);
        int words = (step + TKernel.Terms - 1) / TKernel.Terms, lanes = Math.Min(TKernel.Columns, columns - first);
        Pack(b, tb == Transpose.Yes, column + first, lanes, k, step, packedB + ((long)first * words), TKernel.Columns);
    }

    /// <summary>What that panel is made of, to be fetched while so many panels of a are multiplied.</summary>
    private Ahead Behind(int panel, int column, int columns, int k, int panels)
    {
        if (k >= depth)
        {
            return default;
        }

        int first = panel * TKernel.Columns, step = Math.Min(WordsStep * TKernel.Terms, depth - k);
        int lanes = Math.Min(TKernel.Columns, columns - first);
        var (row, from) = tb == Transpose.Yes ? (column + first, k) : (k, column + first);
        var (rows, width) = tb == Transpose.Yes ? (lanes, step) : (step, lanes);
        return new Ahead(
            b.Row(row) + ((long)from * b.ElementBytes), rows, width * b.ElementBytes, (long)b.Stride * b.ElementBytes, panels);
    }

    /// <summary>
    /// A pure function of the sizes: equal tiles no larger than the scratch memory holds, split further while some thread would
    /// get fewer than two.
    /// </summary>
    internal static (int Rows, int Columns) TileShape(int rows, int columns, int threads)
    {
        int rowTiles = Blocks(rows, MaxRows);
        int columnTiles = Blocks(columns, MaxColumns);
        while (threads > 1 && rowTiles * columnTiles < 2 * threads)
        {
            int height = Blocks(rows, rowTiles);
            int width = Blocks(columns, columnTiles);
            if (Math.Max(height, width) < 64)
            {
                break;
            }

            if (height >= width)
            {
                rowTiles++;
            }
            else
            {
                columnTiles++;
            }
        }

        return (RoundUp(Blocks(rows, rowTiles), TKernel.Rows), RoundUp(Blocks(columns, columnTiles), TKernel.Columns));
    }

    private static int Blocks(int size, int block) => (int)(((long)size + block - 1) / block);

    private static int RoundUp(int size, int multiple) => Blocks(size, multiple) * multiple;

    private static void Pack(in Matrix from, bool lanesAreRows, int lane, int lanes, int k, int depth, float* panel, int width)
    {
        if (TKernel.Terms == 2 && lanesAreRows)
        {
            PairPanels.FromRows(from, lane, lanes, k, depth, panel, width);
        }
        else if (TKernel.Terms == 2)
        {
            PairPanels.FromColumns(from, lane, lanes, k, depth, panel, width);
        }
        else if (lanesAreRows)
        {
            Panels.FromRows(from, lane, lanes, k, depth, panel, width);
        }
        else
        {
            Panels.FromColumns(from, lane, lanes, k, depth, panel, width);
        }
    }

    /// <summary>One row of the tile.</summary>
    private void Finish(int row, int column, int columns, float* sums, int tileSize)
    {
        GemmEpilogue.Part part = epilogue.Of(row, column);
        for (int j = 0; j < columns; j += Lanes.Count)
        {
            float* sixteen = sums + ((long)(j / TKernel.Columns) * tileSize) + (j % TKernel.Columns);
            part.Store(j, Vector512.Load(sixteen), columns - j);
        }
    }
}
