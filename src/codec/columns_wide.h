/* The columns are compiled twice: for every processor, and (COLUMNS_WIDE) once more for those that
 * shift and count bits in one step and have three operands (AVX2, BMI, BMI2, POPCNT). It is the
 * same source, so what one writes the other reads; the second one's symbols have names of their
 * own. */
#ifndef PGSTOW_CODEC_COLUMNS_WIDE_H
#define PGSTOW_CODEC_COLUMNS_WIDE_H

#ifdef COLUMNS_WIDE
#define columns_new columns_new_wide
#define columns_free columns_free_wide
#define columns_encode columns_encode_wide
#define columns_decode columns_decode_wide
#define columns_room columns_room_wide
#define date_parse date_parse_wide
#define field_print field_print_wide
#define fields_print fields_print_wide
#define fields_take fields_take_wide
#define huffman_make huffman_make_wide
#define huffman_read huffman_read_wide
#define huffman_write huffman_write_wide
#define number_parse number_parse_wide
#define numbers_decode numbers_decode_wide
#define numbers_encode numbers_encode_wide
#define numbers_free numbers_free_wide
#define template_make template_make_wide
#define timestamp_parse timestamp_parse_wide
#define timestamp_zone timestamp_zone_wide
#define tokens_count tokens_count_wide
#define tokens_entropy tokens_entropy_wide
#define tokens_read tokens_read_wide
#define tokens_read_ranked tokens_read_ranked_wide
#define tokens_write tokens_write_wide
#define tokens_write_ranked tokens_write_ranked_wide
#define trimmed_parse trimmed_parse_wide
#define words_decode words_decode_wide
#define words_encode words_encode_wide
#define words_free words_free_wide
#endif

#endif
