"""The fields of orders and of the order operations in the order of the schema: `!` required, `*` read or let pass. Pure data.

What the POS works out itself (totals, states, markers) may be sent and counts for nothing, as when an order that was read
is sent back changed.
"""

ORDER = (
    "orderId!* extOrderId* invoiceIds* extInvoiceIds* transactionString* syncMarker* orderType* entryBranchNumber*"
    " entryExtBranchId* employeeNumber* employeeName* entryTimestamp* relationNumber* relationName* relationCategoryId*"
    " relationBankAccountNumber* relationVatNumber* deliveryAddress* invoiceAddress* financialDate* financialBranchNumber*"
    " financialExtBranchId* workplaceNumber* reference* activityId* totalInclAmount* totalExclAmount* vatMethod* vatGroupList*"
    " deliveryMethod* deliveryDate* deliveryPeriodBegin* deliveryPeriodEnd* paymentMethod* changeCounter* versionNumber*"
    " prepaidAmount* fullyPaid* deliveryState* cancelState* completeState* tableNumber* tableSubNumber* tableDescription*"
    " numberOfGuests* orderNumber* branchOrderNumber* orderBarcode* orderCategoryNumber* orderCategoryDescription*"
    " onDeliveryUrl onInvoiceUrl lineList* paymentList* vatChange vatCountryCode* vatCountryIso3* webhookSessionData"
    " cateringOrderNumber invoiceNumbers* packingSlipIds* packingSlipNumbers* proposalId extProposalId proposalNumber"
    " branchGroupNumber ownerId branchInvoiceNumbers timelineEvents contractPeriod"
)
LINE = (
    "lineId* employeeNumber* articleNumber!* pluNumber* text* supplierRelationNumber supplierRelationName"
    " supplierArticleNumber data* courseNumber menuHash menuDescription menuAmount salePromotionData webhookData lineType*"
    " preparationList* suppressDisposableComponent tempId retourReason sequenceNumber* contractLines uncondensedLines"
    " tempLineId subLineType articleAlterationId lineKind salesOrderLineId*"
)
LINE_DATA = (
    "quantity!* decimalPlaces* deliveredQuantity* deliveredDecimalPlaces* cancelledQuantity* cancelledDecimalPlaces* price*"
    " priceExcl* originalPrice* originalPriceExcl purchasePrice* averagePurchasePrice* exchangeRateBuyPrice"
    " exchangeRateBuyPriceDecimalPlaces exchangeRateSellPrice exchangeRateSellPriceDecimalPlaces exchangeRateMultiplier"
    " turnoverGroup* turnoverGroupName* turnoverGroupType* turnoverGroupAccountNumber turnoverGroupCostCenter vatCode*"
    " vatPercentage* pricePerQuantity siUnit* discountType discountPercentage discountAmount discountAmountExcl bpeId"
    " bpeDescription bpeAmount bpeAmountExcl menuId menuLinesId totalInclAmount* totalExclAmount* priceType*"
    " purchaseAccountNumber stockAccountNumber bpeAccordationEmployeeNumber redeemedVoucherIssuanceId"
    " pendingVoucherIssuanceStartTs"
)
PAYMENT = (
    "paymentId* financialDate* entryTimestamp* branchNumber* extBranchId workplaceNumber* employeeNumber* employeeName*"
    " method!* description* amount!* paymentMethodType* accountNumber* branchAccountNumberList eftTransactionDetails"
    " giftcardNumber* externalPaymentId* externalPaymentTransactionDetails externalReference*"
)
ADDRESS = "addressId* name* contact* address* zipcode* city* country* label* companyName* supplierInformation*"
DATE = "day!* mon!* year!*"
MOMENT = "sec!* min!* hour!* day!* mon!* year!* isdst!* timezone!*"
DELIVERY = "orderId!* lineList!* turnoverType*"
DELIVERY_LINE = "lineId!* quantity!* decimalPlaces*"
CANCELLER = "branchNumber*"
WORKPLACE = "branchNumber!* workplaceNumber!*"
EMPLOYEE = "employeeNumber!*"
LINES = "line*"
PAYMENTS = "payment*"
IDS = "id*"

_APPLY = "applySalesAndActions applySalesPrices applyPriceGroups"

ONE_ORDER = "order*"
CREATE_V3 = f"idempotencyKey!* order!* {_APPLY} scannedVoucherIssuanceCodes prepay* paymentList*"
UPDATE_V2 = f"order!* {_APPLY}"
CANCEL = "orderId!* request*"
CANCEL_V2 = "workplace!* employee!* orderId!*"
PAY = "orderId!* prepay!* paymentList!*"
PAY_V2 = f"idempotencyKey!* {PAY}"
DELIVER = "orderId!* turnoverType*"
DELIVER_V2 = "orderDelivery!*"
BY_ID = "orderId!*"
BY_EXT_ID = "extOrderId!*"
BY_EXT_IDS = "syncMarker* syncMarkerLimit* extOrderIds*"
