#include "kernel_test.h"

namespace
{

constexpr int Header = 8;

// Documents of these lengths one after the other, numbered from 1 on, then rows of none.
struct Documents
{
    std::vector<int> lengths;
    int rows;

    std::vector<int> sequences() const
    {
        std::vector<int> numbers;
        for (size_t d = 0; d < lengths.size(); d++)
        {
            numbers.insert(numbers.end(), lengths[d], static_cast<int>(d) + 1);
        }

        numbers.resize(rows, -1);
        return numbers;
    }
};

void check_sums(const Documents& documents)
{
    Numbers numbers(documents.rows);
    const std::vector<int> sequences = documents.sequences();
    std::vector<int> targets;
    for (int row = 0; row < documents.rows; row++)
    {
        targets.push_back(sequences[row] < 0 || row % 7 == 3 ? -1 : row);
    }

    std::vector<float> statistics = numbers.many<float>(3 * static_cast<size_t>(documents.rows), 3);
    std::vector<double> pairs(Header + 3 * (documents.lengths.size() + 3));
    for (size_t i = 0; i < pairs.size(); i++)
    {
        pairs[i] = numbers.next();
    }

    std::vector<double> expected = pairs;
    for (int row = 0; row < documents.rows; row++)
    {
        statistics[documents.rows + row] = 1 + std::fabs(statistics[documents.rows + row]);
        if (targets[row] >= 0)
        {
            expected[Header + 3 * sequences[row] + 2] += static_cast<double>(statistics[2 * documents.rows + row]) - statistics[row] -
                                                         std::log(static_cast<double>(statistics[documents.rows + row]));
        }
    }

    Array<double> out(pairs);
    kernel("preference", "preference_sums")
        .run({divided_up(documents.rows, 128)}, {128}, 0, Array<int>(targets).device(), Array<int>(sequences).device(),
            Array<float>(statistics).device(), out.device(), documents.rows, static_cast<int64_t>(documents.rows));
    const std::vector<double> got = out.host();
    for (size_t i = 0; i < got.size(); i++)
    {
        check(std::fabs(got[i] - expected[i]) <= 1e-11 * (1 + std::fabs(expected[i])), "sum of a document of " + std::to_string(i));
    }
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// f' of each form.
double slope(int form, double beta, double a, double b, double z)
{
    return form == 1   ? 2 * (z - 1 / (2 * beta))
           : form == 2 ? (beta * z < 1 ? -beta : 0)
                       : beta * (b * sigmoid(beta * z) - a * sigmoid(-beta * z));
}

void check_weights(int form, int pairs_count)
{
    Numbers numbers(form + pairs_count);
    const double beta = 0.3, a = 1.4, b = -0.3, share = 0.25;
    std::vector<double> pairs = {static_cast<double>(form), beta, a, b, share, 0, 0, 0};
    for (int s = 0; s < 2 * pairs_count; s++)
    {
        pairs.insert(pairs.end(), {1.0 / (1 + s % 5), numbers.next(3), numbers.next(9)});
    }

    std::vector<int> sequences, targets;
    for (int row = 0; row < 3 * 2 * pairs_count; row++)
    {
        sequences.push_back(row / 3);
        targets.push_back(row % 4 == 1 ? -1 : row);
    }

    const int rows = static_cast<int>(sequences.size());
    Array<float> out(std::vector<float>(rows, NAN));
    kernel("preference", "preference_weights")
        .run({divided_up(rows, 128)}, {128}, 0, Array<int>(targets).device(), Array<int>(sequences).device(),
            Array<double>(pairs).device(), out.device(), rows);
    const std::vector<float> got = out.host();
    for (int row = 0; row < rows; row++)
    {
        const int chosen = sequences[row] / 2 * 2;
        const double* c = &pairs[Header + 3 * chosen];
        const double z = c[0] * c[2] + c[1] - (c[3] * c[5] + c[4]);
        const double f = slope(form, beta, a, b, z);
        const double expected = targets[row] < 0 ? 0 : sequences[row] == chosen ? share - f * c[0] : f * c[3];
        check_close(got[row], expected, std::fabs(f) + share, 0.01, "weight of form " + std::to_string(form));
    }
}
}

TEST(PreferenceSumsAreThoseOfTheCountedRowsOfEachDocument)
{
    check_sums({{1}, 1});
    check_sums({{3, 2, 40, 1, 33}, 100});
    check_sums({{31, 33, 64, 127, 1, 1, 300}, 640});
    check_sums({{500, 500}, 1000});
}

TEST(PreferenceWeightsAreTheDerivativeOfTheLoss)
{
    for (int form : {0, 1, 2})
    {
        check_weights(form, 1);
        check_weights(form, 50);
    }
}
